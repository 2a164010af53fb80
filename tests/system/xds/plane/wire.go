// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"net"
	"strings"
	"sync"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	loadstats "github.com/envoyproxy/go-control-plane/envoy/service/load_stats/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	encodingproto "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/proto"
)

// streamKinds are the methods that a plane watches, by the last part of their names.
var streamKinds = map[string]struct {
	name    string
	request func() proto.Message
}{
	"StreamAggregatedResources": {"sotw", func() proto.Message { return &discovery.DiscoveryRequest{} }},
	"DeltaAggregatedResources":  {"delta", func() proto.Message { return &discovery.DeltaDiscoveryRequest{} }},
	"StreamLoadStats":           {"lrs", func() proto.Message { return &loadstats.LoadStatsRequest{} }},
}

// wire stands between gRPC and whoever serves a stream. It reads ahead, so that the journal has all that came even while
// nobody answers, and holds back what is sent while the plane is silent.
type wire struct {
	grpc.ServerStream
	plane  *plane
	stream *stream
	end    chan error // what the test closes the stream with

	queue   chan struct{} // has a token while there is something in waiting
	mutex   sync.Mutex
	waiting []received

	sending sync.Mutex
	sent    int
}

type received struct {
	message proto.Message
	err     error
}

// watch is the interceptor of all streams.
func (p *plane) watch(service any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	kind, known := streamKinds[info.FullMethod[strings.LastIndexByte(info.FullMethod, '/')+1:]]
	if !known {
		return handler(service, ss)
	}
	w := &wire{ServerStream: ss, plane: p, end: make(chan error, 1), queue: make(chan struct{}, 1)}
	from, _ := peer.FromContext(ss.Context())
	metadata, _ := metadata.FromIncomingContext(ss.Context())
	w.stream = p.journal.open(kind.name, from, metadata, w)
	defer w.stream.closed()
	go w.read(kind.request)
	if err := p.refusal(); err != nil {
		return err
	}
	if kind.name != "lrs" && p.isManual() {
		handler = p.lie
	}
	done := make(chan error, 1)
	go func() { done <- handler(service, w) }()
	select {
	case err := <-done:
		return err
	case err := <-w.end:
		return err
	}
}

func (w *wire) read(make func() proto.Message) {
	for {
		next := received{message: make()}
		next.err = w.ServerStream.RecvMsg(next.message)
		if next.err == nil {
			w.stream.came(next.message)
		}
		w.mutex.Lock()
		w.waiting = append(w.waiting, next)
		w.mutex.Unlock()
		w.wake()
		if next.err != nil {
			return
		}
	}
}

func (w *wire) wake() {
	select {
	case w.queue <- struct{}{}:
	default:
	}
}

func (w *wire) take() (next received, found bool) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if len(w.waiting) == 0 {
		return next, false
	}
	next, w.waiting = w.waiting[0], w.waiting[1:]
	return next, true
}

// RecvMsg gives the next message that has been read.
func (w *wire) RecvMsg(into any) error {
	for {
		next, found := w.take()
		if !found {
			<-w.queue
			continue
		}
		if next.err == nil {
			proto.Merge(into.(proto.Message), next.message)
		}
		return next.err
	}
}

// SendMsg waits while the plane is silent.
func (w *wire) SendMsg(message any) error {
	if err := w.plane.gate.wait(w.Context()); err != nil {
		return err
	}
	w.sending.Lock()
	defer w.sending.Unlock()
	w.stream.went(message)
	if err := w.ServerStream.SendMsg(message); err != nil {
		return err
	}
	w.sent++
	if last := w.plane.closesAfter(); last > 0 && w.sent >= last {
		w.close(nil)
	}
	return nil
}

// close ends the stream with a status; nil is OK.
func (w *wire) close(err error) {
	select {
	case w.end <- err:
	default:
	}
}

// gate is open or shut for everybody.
type gate struct {
	mutex sync.Mutex
	open  chan struct{} // closed while the gate is open
}

func newGate() *gate {
	g := &gate{open: make(chan struct{})}
	close(g.open)
	return g
}

func (g *gate) set(open bool) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	select {
	case <-g.open:
		if !open {
			g.open = make(chan struct{})
		}
	default:
		if open {
			close(g.open)
		}
	}
}

func (g *gate) wait(ctx context.Context) error {
	g.mutex.Lock()
	open := g.open
	g.mutex.Unlock()
	select {
	case <-open:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// rawMessage goes out as it is.
type rawMessage []byte

// codec is that of gRPC, and lets rawMessage through.
type codec struct{ encoding.CodecV2 }

func newCodec() codec { return codec{encoding.GetCodecV2(encodingproto.Name)} }

func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if raw, ok := v.(rawMessage); ok {
		return mem.BufferSlice{mem.SliceBuffer(raw)}, nil
	}
	return c.CodecV2.Marshal(v)
}

// slowListener makes connections that send no faster than the plane's throttle says.
type slowListener struct {
	net.Listener
	plane *plane
}

type slowConn struct {
	net.Conn
	plane *plane
}

func (l slowListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return slowConn{conn, l.plane}, nil
}

const throttleTick = 10 * time.Millisecond

func (c slowConn) Write(content []byte) (int, error) {
	written := 0
	for written < len(content) {
		piece := content[written:]
		if rate := c.plane.throttle(); rate > 0 {
			piece = piece[:min(len(piece), max(1, rate*int(throttleTick)/int(time.Second)))]
			time.Sleep(throttleTick)
		}
		n, err := c.Conn.Write(piece)
		written += n
		if err != nil {
			return written, err
		}
	}
	return written, nil
}
