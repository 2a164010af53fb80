/* SPDX-License-Identifier: Apache-2.0 */
/* Standard input as the body of a POST, whatever its size: stream_upload SERVICE PATH < FILE.
 *
 * mesh_stream_write() waits while the peer takes no more, so memory stays small. A peer that answers early ends the writing;
 * its answer is read all the same. */
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

static int32_t send_body(struct mesh_stream *stream, uint64_t *sent)
{
    char part[16384];
    size_t len;
    int32_t err = 0;

    while (err == 0 && (len = fread(part, 1, sizeof part, stdin)) > 0) {
        err = mesh_stream_write(stream, part, len, NULL);
        *sent += len;
    }
    return err ? err : mesh_stream_finish(stream);
}

static int32_t read_answer(struct mesh_stream *stream, uint64_t *received)
{
    char part[16384];
    size_t got;
    int32_t err;

    while ((err = mesh_stream_read(stream, part, sizeof part, &got)) == 0 && got > 0)
        *received += got;
    return err;
}

int main(int argc, char **argv)
{
    struct mesh_request_opts opts = { .size = sizeof opts, .method = "POST" };
    struct mesh_stream *stream = NULL;
    uint64_t sent = 0, received = 0;
    int32_t err;

    if (argc != 3) {
        fprintf(stderr, "usage: stream_upload SERVICE PATH < FILE\n");
        return 2;
    }
    opts.service = argv[1];
    opts.path = argv[2];
    err = mesh_stream_open(NULL, &opts, NULL, 0, &stream);
    if (err == 0)
        err = send_body(stream, &sent);
    if (err == 0)
        err = read_answer(stream, &received);
    if (err)
        return fail(err, stream);
    printf("%" PRId32 ": sent %" PRIu64 " bytes, received %" PRIu64 "\n",
           mesh_response_status(mesh_stream_response(stream)), sent, received);
    mesh_stream_free(stream);
    return 0;
}
