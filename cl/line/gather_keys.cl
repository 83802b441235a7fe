/* Which of the chosen keys count, and where they stand:  shown[b][s] = 1 if positions[s] exists, differs from the one
 * before it, and the key padding does not hide it; places[s] = positions[s], kept inside 0 ... rows - 1.
 * A line is one key (s, batch). */
#include "line/args.cl"

LINE_KERNEL void gather_keys(ARGUMENTS(GATHER_KEYS) const keys_args a) {
    line t;
    LINE_BEGIN(&t);
    if (a.samples == 0) { return; }
    const long at = LINE_X(), s = at % a.samples, batch = at / a.samples;
    const int position = AT(positions)[s];
    const int inside = (int)min(max((long)position, 0L), a.rows - 1);
    if (ONCE(&t)) {
        const int again = s > 0 && AT(positions)[s - 1] == position;
        const int padded = padding_base && AT(padding)[batch * a.padding_batch + inside] == 0;
        AT(shown)[at] = position == inside && !again && !padded;
        if (batch == 0) { AT(places)[s] = inside; }
    }
}
