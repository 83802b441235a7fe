/* How a layout's blocks are cut into tiles. */
#ifndef CT_BLOCK_PART_H
#define CT_BLOCK_PART_H

/* The largest divisor of a block from 16 up to `most`, or a block that one tile covers; 0: none worth it. Free blocks
 * (0): `most`. */
int ct_block_part(int block, int most);
/* For tiles that waste what a block leaves of them: the largest divisor up to `most` of which a tile of that many units
 * wastes less than a third; a block of no such divisor, up to 256, is one tile; 0: none fits. Free blocks: `most`. */
int ct_block_share(int block, int most, int unit);

#endif
