/* How a layout's blocks are cut into tiles of a matrix unit. */
#ifndef CT_BLOCK_PART_H
#define CT_BLOCK_PART_H

/* The largest divisor of a block from 16 up to `most`, or a block that one tile covers; 0: none worth it. Free blocks
 * (0): `most`. */
int ct_block_part(int block, int most);

#endif
