/* point.h - the named places where a simulated process may end, and how often it did. */
#ifndef SIM_POINT_H
#define SIM_POINT_H

#include "base/base.h"

struct sim_point_row {
    const char *text;
    uint32_t often;
    const char *help;
};
extern const struct sim_point_row sim_points[];
extern const uint32_t sim_points_count;
#define SIM_POINTS_MAX 32u

struct sim_point_counts {
    uint64_t passed[SIM_POINTS_MAX], crashed[SIM_POINTS_MAX];
};
uint32_t sim_point_find(const char *text); /* must() be one of the table */
void sim_points_print(const struct sim_point_counts *counts);
/* The first that no process ended at, or NULL. */
const char *sim_points_missing(const struct sim_point_counts *counts);

#endif
