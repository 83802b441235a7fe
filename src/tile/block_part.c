#include "tile/block_part.h"

#include "core/core.h"

int ct_block_part(int block, int most)
{
    if (block == 0) {
        return most;
    }
    for (int size = most < block ? most : block; size >= 16; size--) {
        if (block % size == 0) {
            return size;
        }
    }
    return block <= most ? block : 0;
}

int ct_block_share(int block, int most, int unit)
{
    if (block == 0) {
        return most;
    }
    for (int size = most < block ? most : block; size > 0; size--) {
        if (block % size == 0 && size * 3 > ct_round_up(size, unit) * 2) {
            return size;
        }
    }
    return block <= 256 ? block : 0;
}
