/* SPDX-License-Identifier: Apache-2.0 */
/* A stranger's program: built against the installed library only, as C and as C++. */
#include <mesh/mesh.h>

#include <stdio.h>
#include <string.h>

int main(void)
{
    char built_with[32];

    snprintf(built_with, sizeof built_with, "%d.%d.%d", MESH_VERSION_MAJOR, MESH_VERSION_MINOR, MESH_VERSION_PATCH);
    if (strcmp(mesh_version_string(), built_with) != 0) {
        printf("built with %s, runs with %s\n", built_with, mesh_version_string());
        return 1;
    }
    printf("mesh %s\n", mesh_version_string());
    return 0;
}
