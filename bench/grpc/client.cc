// SPDX-License-Identifier: Apache-2.0
// gRPC C++ as a client: --callers threads over the synchronous interface, one channel.
#include <fstream>
#include <grpcpp/grpcpp.h>
#include <sstream>
#include <string>

#include "echo.grpc.pb.h"
#include "load/load.h"

namespace {

struct Program {
    std::unique_ptr<bench::Echo::Stub> stub;
    std::string body;
};

std::shared_ptr<grpc::ChannelCredentials> credentials(const char *ca)
{
    if (!ca)
        return grpc::InsecureChannelCredentials();
    std::ostringstream text;
    text << std::ifstream(ca).rdbuf();
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = text.str();
    return grpc::SslCredentials(options);
}

void call_and_wait(load_thread *thread, void *argument)
{
    Program &program = *static_cast<Program *>(argument);

    while (load_goes_on(thread)) {
        uint64_t began = load_now_ns();
        grpc::ClientContext context;
        bench::Message request, reply;

        request.set_body(program.body);
        grpc::Status status = program.stub->Say(&context, request, &reply);
        if (!status.ok() || reply.body().size() != program.body.size())
            load_fail("grpc: %s", status.error_message().c_str());
        load_count(thread, began, load_now_ns());
    }
}

} // namespace

int main(int argc, char **argv)
{
    static const char *const modes[] = {"sync", nullptr};
    load_options options;

    load_parse(argc, argv, modes, &options);
    auto channel = grpc::CreateChannel("127.0.0.1:" + std::to_string(options.port), credentials(options.ca));
    Program program{bench::Echo::NewStub(channel), std::string(options.body, 'x')};
    load_run(&options, options.callers, call_and_wait, &program);
}
