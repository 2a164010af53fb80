// SPDX-License-Identifier: Apache-2.0
// The server of the benchmark: gRPC C++, unary echo, plain and with TLS at once: server [CERTIFICATE KEY].
// Prints the ports it has taken, as one line of JSON, and serves until it is killed.
#include <cstdio>
#include <fstream>
#include <grpcpp/grpcpp.h>
#include <sstream>
#include <string>

#include "echo.grpc.pb.h"

namespace {

class Echo : public bench::Echo::CallbackService {
    grpc::ServerUnaryReactor *Say(grpc::CallbackServerContext *context, const bench::Message *request,
                                  bench::Message *reply) override
    {
        reply->set_body(request->body());
        grpc::ServerUnaryReactor *reactor = context->DefaultReactor();
        reactor->Finish(grpc::Status::OK);
        return reactor;
    }
};

std::string contents(const char *path)
{
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

std::shared_ptr<grpc::ServerCredentials> tls(const char *certificate, const char *key)
{
    grpc::SslServerCredentialsOptions options;
    options.pem_key_cert_pairs.push_back({contents(key), contents(certificate)});
    return grpc::SslServerCredentials(options);
}

} // namespace

int main(int argc, char **argv)
{
    Echo service;
    grpc::ServerBuilder builder;
    int plain_port = 0, tls_port = 0;

    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &plain_port);
    if (argc == 3)
        builder.AddListeningPort("127.0.0.1:0", tls(argv[1], argv[2]), &tls_port);
    builder.RegisterService(&service);
    std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
    if (!server || (argc == 3 && tls_port == 0)) {
        std::fprintf(stderr, "server: cannot be started\n");
        return 1;
    }
    std::printf("{\"h2c\": %d, \"tls\": %d}\n", plain_port, tls_port);
    std::fflush(stdout);
    server->Wait();
}
