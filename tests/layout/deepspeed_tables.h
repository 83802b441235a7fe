/* What DeepSpeed's configurations look like: parameters and drawing. */
#ifndef TESTS_LAYOUT_DEEPSPEED_TABLES_H
#define TESTS_LAYOUT_DEEPSPEED_TABLES_H

#include <clattn/clattn.h>

typedef struct golden {
    clattn_pattern_kind kind;
    int nb;
    const char *parameters, *drawing;
} golden;

/* L1 */
static const golden goldens[] = {
    {CLATTN_PATTERN_FIXED, 10, "bidirectional=0",
     "#.........\n"
     "##........\n"
     "###.......\n"
     "####......\n"
     "...##.....\n"
     "...###....\n"
     "...####...\n"
     "...#####..\n"
     "...#...##.\n"
     "...#...###\n"},
    {CLATTN_PATTERN_FIXED, 10, "",
     "####...#.#\n"
     "####...#.#\n"
     "####...#.#\n"
     "####...#.#\n"
     "...#####.#\n"
     "...#####.#\n"
     "...#####.#\n"
     "...#####.#\n"
     "...#...###\n"
     "...#...###\n"},
    {CLATTN_PATTERN_FIXED, 9, "global=2 bidirectional=0",
     "#........\n"
     "##.......\n"
     "####.....\n"
     "####.....\n"
     "..###....\n"
     "..####...\n"
     "..######.\n"
     "..#######\n"
     "..##..###\n"},
    {CLATTN_PATTERN_FIXED, 9, "global=2",
     "####..###\n"
     "####..###\n"
     "####..###\n"
     "####..###\n"
     "..#######\n"
     "..#######\n"
     "..#######\n"
     "..#######\n"
     "..##..###\n"},
    {CLATTN_PATTERN_FIXED, 10, "local=3 horizontal=1",
     "###..#..##\n"
     "###..#..##\n"
     "##########\n"
     "..####..##\n"
     "..####..##\n"
     "##########\n"
     "..#..#####\n"
     "..#..#####\n"
     "##########\n"
     "##########\n"},
    {CLATTN_PATTERN_FIXED, 2, "global=4 bidirectional=0",
     "##\n"
     "##\n"},
    {CLATTN_PATTERN_FIXED, 3, "local=8 global=4 bidirectional=0",
     "#..\n"
     "##.\n"
     "###\n"},
    {CLATTN_PATTERN_VARIABLE, 9, "",
     "####.....\n"
     "####.....\n"
     "####.....\n"
     "####.....\n"
     "#...####.\n"
     "#...####.\n"
     "#...####.\n"
     "#...####.\n"
     "#.......#\n"},
    {CLATTN_PATTERN_VARIABLE, 10, "bidirectional=0 windows=1,3,2 indices=0,5",
     "#.........\n"
     "##........\n"
     "###.......\n"
     "####......\n"
     "#...#.....\n"
     "#...##....\n"
     "#....##...\n"
     "#....###..\n"
     "#....#..#.\n"
     "#....#..##\n"},
    {CLATTN_PATTERN_VARIABLE, 10, "horizontal=1 windows=2,3 indices=4,11",
     "##..#.....\n"
     "##..#.....\n"
     "..###.....\n"
     "..###.....\n"
     "##########\n"
     "....####..\n"
     "....####..\n"
     "....####..\n"
     "....#...##\n"
     "....#...##\n"},
    {CLATTN_PATTERN_VARIABLE, 8, "bidirectional=0 windows=2 indices=1,6 ends=4,12",
     "#.......\n"
     "####....\n"
     ".###....\n"
     ".###....\n"
     ".####...\n"
     ".#####..\n"
     ".###..##\n"
     ".###..##\n"},
    {CLATTN_PATTERN_VARIABLE, 8, "horizontal=1 windows=2 indices=3,8 ends=5,9",
     "##.##...\n"
     "##.##...\n"
     "..###...\n"
     "########\n"
     "########\n"
     "...###..\n"
     "...##.##\n"
     "...##.##\n"},
    {CLATTN_PATTERN_BIGBIRD, 8, "random=0",
     "########\n"
     "###.....\n"
     "####....\n"
     "#.###...\n"
     "#..###..\n"
     "#...###.\n"
     "#....###\n"
     "#.....##\n"},
    {CLATTN_PATTERN_BIGBIRD, 8, "random=0 sliding=4 global=2 bidirectional=0",
     "#.......\n"
     "##......\n"
     "###.....\n"
     "####....\n"
     "#####...\n"
     "##.###..\n"
     "##..###.\n"
     "##...###\n"},
    {CLATTN_PATTERN_BSLONGFORMER, 8, "",
     "########\n"
     "###.....\n"
     "####....\n"
     "#.###...\n"
     "#..###..\n"
     "#...###.\n"
     "#....###\n"
     "#.....##\n"},
    {CLATTN_PATTERN_BSLONGFORMER, 8, "indices=2,6 ends=4,20 sliding=1",
     "#.##..##\n"
     ".###..##\n"
     "########\n"
     "########\n"
     "..###.##\n"
     "..##.###\n"
     "########\n"
     "########\n"},
    {CLATTN_PATTERN_BSLONGFORMER, 8, "indices=3,9 bidirectional=0",
     "#.......\n"
     "##......\n"
     ".##.....\n"
     "####....\n"
     "...##...\n"
     "...###..\n"
     "...#.##.\n"
     "...#..##\n"},
    {CLATTN_PATTERN_SLIDING, 7, "",
     "#......\n"
     "##.....\n"
     ".##....\n"
     "..##...\n"
     "...##..\n"
     "....##.\n"
     ".....##\n"},
    {CLATTN_PATTERN_SLIDING, 7, "sliding=4 bidirectional=1",
     "###....\n"
     "####...\n"
     "#####..\n"
     ".#####.\n"
     "..#####\n"
     "...####\n"
     "....###\n"},
    {CLATTN_PATTERN_SLIDING, 7, "sliding=5 bidirectional=0",
     "#......\n"
     "##.....\n"
     "###....\n"
     ".###...\n"
     "..###..\n"
     "...###.\n"
     "....###\n"},
};

#endif
