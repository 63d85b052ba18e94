/* point.c - see point.h. */
#include "tests/sim/point.h"

#include <stdio.h>
#include <string.h>

const struct sim_point_row sim_points[] = {
#define POINT(text, often, help) {text, often, help},
#include "tests/sim/point.def"
#undef POINT
};
const uint32_t sim_points_count = countof(sim_points);
_Static_assert(countof(sim_points) <= SIM_POINTS_MAX, "every point has its counts");

uint32_t sim_point_find(const char *text)
{
    for (uint32_t i = 0; i < countof(sim_points); i++) {
        if (strcmp(sim_points[i].text, text) == 0) {
            return i;
        }
    }
    must(!"a point of the table");
    return 0;
}

void sim_points_print(const struct sim_point_counts *counts)
{
    (void)printf("%-26s %10s %8s  %s\n", "point", "passed", "crashed", "what has happened");
    for (uint32_t i = 0; i < countof(sim_points); i++) {
        (void)printf("%-26s %10llu %8llu  %s\n", sim_points[i].text,
                     (unsigned long long)counts->passed[i], (unsigned long long)counts->crashed[i],
                     sim_points[i].help);
    }
}

const char *sim_points_missing(const struct sim_point_counts *counts)
{
    for (uint32_t i = 0; i < countof(sim_points); i++) {
        if (counts->crashed[i] == 0) {
            return sim_points[i].text;
        }
    }
    return NULL;
}
