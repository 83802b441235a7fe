/* Put before a kernel's text by kernels.sh: the NVPTX target of clang has no call for these intrinsics, and NVIDIA's
 * own compiler makes the same instructions of them. */
#define CT_NVPTX_UNARY(name, instruction)                                                                              \
    static inline __attribute__((always_inline, overloadable)) float name(float x)                                     \
    {                                                                                                                  \
        float y;                                                                                                       \
        __asm__(instruction " %0, %1;" : "=f"(y) : "f"(x));                                                            \
        return y;                                                                                                      \
    }
CT_NVPTX_UNARY(nvptx_exp2, "ex2.approx.f32")
CT_NVPTX_UNARY(nvptx_log2, "lg2.approx.f32")
CT_NVPTX_UNARY(nvptx_tanh, "tanh.approx.f32")
#define exp2          nvptx_exp2
#define native_exp2   nvptx_exp2
#define log2          nvptx_log2
#define native_log2   nvptx_log2
#define exp(x)        nvptx_exp2((x)*1.44269504f)
#define native_exp(x) nvptx_exp2((x)*1.44269504f)
#define log(x)        (nvptx_log2(x) * 0.69314718f)
#define native_log(x) (nvptx_log2(x) * 0.69314718f)
#define tanh          nvptx_tanh
/* Missing in libclc; NVIDIA's compiler reads the same registers. */
static inline __attribute__((always_inline)) unsigned nvptx_global_offset(int dimension)
{
    unsigned y;
    if (dimension == 0)
        __asm__("mov.b32 %0, %%envreg3;" : "=r"(y));
    else if (dimension == 1)
        __asm__("mov.b32 %0, %%envreg4;" : "=r"(y));
    else
        __asm__("mov.b32 %0, %%envreg5;" : "=r"(y));
    return y;
}
#define get_global_offset(dimension) nvptx_global_offset(dimension)
