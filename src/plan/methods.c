/* Look-up in the generated table of methods. */
#include <string.h>

#include "plan/method.h"

const ct_method *ct_method_find(const char *name)
{
    for (int i = 0; i < ct_method_count; i++) {
        if (strcmp(ct_methods[i]->name, name) == 0) {
            return ct_methods[i];
        }
    }
    return NULL;
}

int clattn_method_count(void)
{
    return ct_method_count;
}

const char *clattn_method_name(int index)
{
    return index >= 0 && index < ct_method_count ? ct_methods[index]->name : NULL;
}

const char *clattn_method_text(int index)
{
    return index >= 0 && index < ct_method_count ? ct_methods[index]->text : NULL;
}
