/* SPDX-License-Identifier: Apache-2.0 */
/* An answer of any size to standard output, piece by piece: stream_download SERVICE PATH > FILE.
 *
 * The peer sends no faster than this program reads: at most http.window_bytes wait in memory. An answer is whole only when
 * mesh_stream_read() said so with 0 bytes; one that was cut off ends with an error. */
#include <mesh/mesh.h>

#include <inttypes.h>
#include <stdio.h>

static int fail(int32_t err, struct mesh_stream *stream)
{
    const struct mesh_response *response = stream ? mesh_stream_response(stream) : NULL;

    fprintf(stderr, "%s: %s\n", mesh_error_name(err), response ? mesh_response_detail(response) : mesh_strerror(err));
    mesh_stream_free(stream);
    return 1;
}

/* Status and size first: mesh_stream_response() waits for the head, not for the body. */
static void print_head(struct mesh_stream *stream)
{
    const struct mesh_response *head = mesh_stream_response(stream);
    const char *length = mesh_response_header(head, "content-length");

    if (mesh_response_status(head) > 0)
        fprintf(stderr, "%" PRId32 " from %s, %s bytes\n", mesh_response_status(head), mesh_response_endpoint(head),
                length ? length : "an unknown number of");
}

int main(int argc, char **argv)
{
    struct mesh_request_opts opts = { .size = sizeof opts };
    struct mesh_stream *stream = NULL;
    char part[16384];
    size_t got;
    int32_t err;

    if (argc != 3) {
        fprintf(stderr, "usage: stream_download SERVICE PATH > FILE\n");
        return 2;
    }
    opts.service = argv[1];
    opts.path = argv[2];
    err = mesh_stream_open(NULL, &opts, NULL, 0, &stream);
    if (err == 0)
        err = mesh_stream_finish(stream); /* no request body */
    if (err)
        return fail(err, stream);
    print_head(stream);
    while ((err = mesh_stream_read(stream, part, sizeof part, &got)) == 0 && got > 0)
        if (fwrite(part, 1, got, stdout) != got)
            break;
    if (err)
        return fail(err, stream);
    mesh_stream_free(stream);
    return ferror(stdout) || fflush(stdout) != 0;
}
