// SPDX-License-Identifier: Apache-2.0
// gRPC C++ in the fault rigs, as it comes: round_robin over the endpoints, a deadline for each call, no service config. One thread
// starts calls by the schedule, another takes what has ended.
#include <chrono>
#include <grpcpp/grpcpp.h>
#include <string>
#include <thread>

#include "echo.grpc.pb.h"
#include "faults/schedule.h"

namespace {

struct Call {
    uint64_t number;
    grpc::ClientContext context;
    bench::Message reply;
    grpc::Status status;
    std::unique_ptr<grpc::ClientAsyncResponseReader<bench::Message>> reader;
};

const char *name_of(grpc::StatusCode code)
{
    switch (code) {
    case grpc::OK: return "ok";
    case grpc::DEADLINE_EXCEEDED: return "DEADLINE_EXCEEDED";
    case grpc::UNAVAILABLE: return "UNAVAILABLE";
    case grpc::CANCELLED: return "CANCELLED";
    default: return "OTHER";
    }
}

void take_all(const schedule &plan, grpc::CompletionQueue &queue)
{
    void *tag;
    bool ok;

    for (uint64_t left = plan.n_requests; left > 0 && queue.Next(&tag, &ok); left--) {
        std::unique_ptr<Call> call(static_cast<Call *>(tag));
        const auto &head = call->context.GetServerInitialMetadata();
        const auto &trailers = call->context.GetServerTrailingMetadata();
        auto server = head.find("x-server");
        bool in_head = server != head.end();

        if (!in_head)
            server = trailers.find("x-server");
        std::string endpoint = in_head || server != trailers.end() ? std::string(server->second.data(), server->second.size()) : "";
        schedule_record(&plan, call->number, name_of(call->status.error_code()), endpoint.c_str(), 0);
    }
}

void start(const schedule &plan, bench::Echo::Stub &stub, grpc::CompletionQueue &queue, uint64_t number)
{
    auto *call = new Call;

    call->number = number;
    call->context.AddMetadata("x-request-id", std::to_string(number));
    if (plan.marked)
        call->context.AddMetadata("x-mesh-attempt", plan.marked);
    call->context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(plan.timeout_ms));
    call->reader = stub.AsyncSay(&call->context, bench::Message(), &queue);
    call->reader->Finish(&call->reply, &call->status, call);
}

} // namespace

int main(int argc, char **argv)
{
    schedule plan;
    grpc::ChannelArguments arguments;
    grpc::CompletionQueue queue;
    uint64_t when;

    schedule_parse(argc, argv, &plan);
    arguments.SetLoadBalancingPolicyName("round_robin");
    auto channel = grpc::CreateCustomChannel(std::string("ipv4:") + (plan.endpoints ? plan.endpoints : ""),
                                             grpc::InsecureChannelCredentials(), arguments);
    auto stub = bench::Echo::NewStub(channel);
    std::thread taker([&] { take_all(plan, queue); });
    for (uint64_t i = 0; (when = schedule_start_us(&plan, i)) != UINT64_MAX; i++) {
        schedule_sleep_until(when);
        start(plan, *stub, queue, i);
    }
    taker.join();
    schedule_finish();
}
