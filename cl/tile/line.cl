/* Line words, for kernels that visit rows of numbers and need no matrix product (merge, gates, features, scans, steps,
 * gathers). A program is  tile.cl, line.cl, line_<machine>.cl, stage.  A group does one line: a row of `width` numbers.
 *   LINE_KERNEL, LINE_BEGIN(tp)     attributes; local memory. `line t` is the worker
 *   LINE_X(), LINE_Y(), LINE_Z()    which line: the group's coordinates
 *   line_place at = LINE_PLACE(rows, heads)   of a launch by rows (src/line/line.h): which one. Groups do the last row
 *                                   again where rows do not fill them: such a line is `past`
 *   VF, VI                          one visit's columns
 *   EACH_COL(c, width)              for header: visits columns c (int: the visit's first column) of 0 ... width-1;
 *                                   a visit may reach past the width: get and put keep inside
 *   VISITS(width), VISIT(c)         how many visits at most (a constant for a constant width), and the visit c as a
 *                                   number from 0
 *   COL(c)                          VI: the columns of the visit
 *   get(p, c, width)                VF of float p[c...]; columns past width give 0
 *   get_apart(p, c, width, pitch)   the same of floats `pitch` apart: p[c * pitch] ...
 *   put(p, c, width, v)             stores those that exist
 *   get_elem, put_elem              the same on storage elements (STORE) and output elements (OUT)
 *   line_sum(t, v), line_max(t, v)  joins one VF a worker over all columns -> float, the same for all
 *   pick vmax vlog vexp vexp2 vtanh vabs TO_VF   on VF, as for score texts (tile.cl, 7); pick chooses by a VI or a
 *                                   plain int
 *   BITS(v)                         VI: the bits of a VF
 *   ONCE(t)                         true for exactly one worker of the group: for scalars that leave the line
 * Between two joins nothing else is needed; loops around joins must be uniform.
 */
typedef struct {
    long at, n;              /* of all rows, of the head's */
    long plane, head, batch; /* plane: of all batches' heads */
    int past;
} line_place;
OP line_place line_place_of(long x, long head, long batch, long rows, long heads) {
    const long n = min(x, rows - 1), plane = batch * heads + head;
    return (line_place){plane * rows + n, n, plane, head, batch, x >= rows};
}
#define LINE_PLACE(rows, heads) line_place_of(LINE_X(), LINE_Y(), LINE_Z(), rows, heads)
/* Packed sequences: the last one that begins at this token or before, or whose lines do (SEQUENCE_LINE, step tokens a
 * line; 0: tokens). One that is empty holds nothing: the last of those that begin at the same place is meant. */
OP int sequence_at(const __global int *cu, int sequences, int step, int place) {
    int low = 0, high = sequences - 1;
    while (low < high) {
        const int middle = (low + high + 1) / 2;
        if ((step ? SEQUENCE_LINE(cu[middle], step, middle) : cu[middle]) <= place) low = middle;
        else high = middle - 1;
    }
    return low;
}
