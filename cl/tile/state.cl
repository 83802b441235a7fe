/* State words, for stages whose rows stream past a state (accumulate). Documentation only: each tile's state part
 * defines them. BM = BN here: a tile of queries and the tile of keys beside it are the same tokens.
 *   acc_state                               DK x DV accumulator, float
 *   col                                     a value for each column (key) this worker holds: .x[], elements VF
 *   EACH_KEY(i), KEY_AT(t, i)               for header: visits a col's elements; the column within the tile (VI)
 *   KEY_OF(i)                               the col element of pair element i, as ROW_OF(i) is its row element
 *   EACH_LOWER(i)                           EACH_PAIR, but only columns <= row need be visited; with -D REVERSED, in
 *                                           all these words: columns >= row
 *   PAIRS_STAY                              1: an acc_pair that lives as long as the stage is cheap (memory, or
 *                                           registers to spare)
 *   col_sum(t, &whole, &part, ptr, n)       inclusive running sum of LOG2E * ptr[k], kept as an integer and a fraction
 *                                           in [-1/2, 1/2]: differences are
 *                                           exact to the last bit of a fraction, and sums of small numbers are as exact
 *                                           as these; flat from n on; a summand counts as -150 at least
 *   col_last(t, &col)                       the value of the tile's last column, float
 *   row_of_col(t, &row, &col)               row r gets the value of column r
 *   state_load(t, &st, ptr or 0, pitch), state_store(t, ptr, pitch, &st)   rows of DV floats, `pitch` apart; 0 loads
 *                                                          zeros
 *   state_publish(t, &st)                   makes the accumulator the operand of later products ("the last published
 *                                           one")
 *   state_scale(&st, keep)                  scales the accumulator; an operand published before is not touched
 *   rows_load(t, &held, s, j)               the held rows become tile j of stream s
 *   keys_load(t, &op_keys, s, j, &col)      tile j of stream s as the transposed operand, row k weighted by col k
 *   mma_abt_lower(t, &acc_pair, &held, s, j)           = held . tile^T; only columns <= row need be right
 *   mma_state_ab_lower(t, &acc_head, &held, &st, &row, &op_pair, s, j)     o = row * (held . state) + op . tile (op
 *                                                          lower triangular)
 *   mma_state(t, &acc_head, &held, &st, &row)          o = row * (held . state)
 *   mma_atb(t, &st, &op_keys, s, j)         state += op_keys^T . tile
 *   acc_bind(&acc_head, &tensor_out, row0)  where the result will be stored: a tile may store there as early as the
 *   product
 *   float_store(t, ptr, x)                  one number of the whole worker
 * Float is kept up to an operand: a tile whose operands are narrower rounds P, weighted keys and published states to
 * STORE. Where a state leaves, the host asks for better (ct_shape_wish.float_state).
 * A tile shares the work by rows (attend) or by columns of the head (states); the stage does not know which.
 */
