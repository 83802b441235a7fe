#include "tile/block_part.h"

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
