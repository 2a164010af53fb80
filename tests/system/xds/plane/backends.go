// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// backend answers gRPC, HTTP/2 and HTTP/1.1 on one port with JSON that says who it is and what it was asked.
type backend struct {
	name    string
	address string
	tls     *tls.Config

	mutex   sync.Mutex
	server  *http.Server // nil while it is down
	manners manners
	counts  counts
}

// manners are how a backend answers, as the test last said. A request's own "rpc-behavior" comes first.
type manners struct {
	Down     bool              `json:"down"` // nobody listens, connections are closed
	Status   int               `json:"status"`
	GRPC     int               `json:"grpc_status"`
	DelayMS  int               `json:"delay_ms"`
	Headers  map[string]string `json:"headers"`
	Trailers map[string]string `json:"trailers"`
	Sick     bool              `json:"sick"` // health checks are told so
}

// counts are of everything but health checks.
type counts struct {
	Requests    int            `json:"requests"`
	InFlight    int            `json:"in_flight"`
	MostAtOnce  int            `json:"most_at_once"`
	Paths       map[string]int `json:"paths"`
	Connections int            `json:"connections"` // ever
	Checks      int            `json:"checks"`      // health checks
}

func backends(args []string) error {
	flags := flag.NewFlagSet("backends", flag.ContinueOnError)
	control := flags.String("control", "127.0.0.1:0", "where tests steer")
	list := flags.String("serve", "", "NAME=HOST:PORT,... of the backends")
	var files tlsFiles
	files.flags(flags)
	if err := parse(flags, args); err != nil {
		return err
	}
	config, err := files.config()
	if err != nil {
		return err
	}
	all := map[string]*backend{}
	for entry := range strings.SplitSeq(*list, ",") {
		name, address, found := strings.Cut(entry, "=")
		if !found {
			return fmt.Errorf("-serve: %q is not NAME=HOST:PORT", entry)
		}
		all[name] = &backend{name: name, address: address, tls: config, counts: counts{Paths: map[string]int{}}}
		if err := all[name].up(); err != nil {
			return err
		}
	}
	return serveHTTP(*control, backendControls(all))
}

func backendControls(all map[string]*backend) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /counts", func(w http.ResponseWriter, _ *http.Request) {
		result := map[string]counts{}
		for name, b := range all {
			result[name] = b.counted()
		}
		text, err := json.Marshal(result)
		reply(w, text, err)
	})
	mux.HandleFunc("PUT /manners", taking(func(given map[string]manners) (any, error) {
		for name, m := range given {
			if all[name] == nil {
				return nil, fmt.Errorf("no backend %q", name)
			}
			if err := all[name].behave(m); err != nil {
				return nil, err
			}
		}
		return nil, nil
	}))
	return mux
}

func (b *backend) up() error {
	listener, err := net.Listen("tcp", b.address)
	if err != nil {
		return err
	}
	if b.tls != nil {
		listener = tls.NewListener(listener, b.tls)
	}
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Handler: b, Protocols: protocols, TLSConfig: b.tls, ConnState: b.connected}
	b.mutex.Lock()
	b.server = server
	b.mutex.Unlock()
	go func() {
		if err := server.Serve(listener); err != http.ErrServerClosed {
			log.Fatal(err)
		}
	}()
	return nil
}

func (b *backend) connected(_ net.Conn, state http.ConnState) {
	if state == http.StateNew {
		b.mutex.Lock()
		b.counts.Connections++
		b.mutex.Unlock()
	}
}

func (b *backend) behave(m manners) error {
	b.mutex.Lock()
	b.manners = m
	server := b.server
	if m.Down {
		b.server = nil
	}
	b.mutex.Unlock()
	if m.Down && server != nil {
		return server.Close()
	}
	if !m.Down && server == nil {
		return b.up()
	}
	return nil
}

func (b *backend) counted() counts {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	copied := b.counts
	copied.Paths = map[string]int{}
	for path, n := range b.counts.Paths {
		copied.Paths[path] = n
	}
	return copied
}

func (b *backend) begin(path string) manners {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.counts.Requests++
	b.counts.Paths[path]++
	b.counts.InFlight++
	b.counts.MostAtOnce = max(b.counts.MostAtOnce, b.counts.InFlight)
	return b.manners
}

func (b *backend) end() {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.counts.InFlight--
}

func (b *backend) check() bool {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.counts.Checks++
	return b.manners.Sick
}

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	isGRPC := strings.HasPrefix(r.Header.Get("content-type"), "application/grpc")
	_, _ = io.Copy(io.Discard, r.Body)
	if r.URL.Path == "/grpc.health.v1.Health/Check" || r.URL.Path == "/healthz" {
		b.health(w, isGRPC)
		return
	}
	m := b.begin(r.URL.Path)
	defer b.end()
	m.obey(b.name, r.Header)
	if !m.wait(r) {
		return
	}
	for name, value := range m.Headers {
		w.Header().Set(name, value)
	}
	w.Header().Set("x-backend", b.name)
	if isGRPC {
		answerGRPC(w, m, b.says(r))
		return
	}
	answerHTTP(w, m, b.says(r))
}

func (b *backend) health(w http.ResponseWriter, isGRPC bool) {
	sick := b.check()
	switch {
	case isGRPC && sick:
		answerGRPC(w, manners{}, []byte{8, 2}) // HealthCheckResponse{NOT_SERVING}
	case isGRPC:
		answerGRPC(w, manners{}, []byte{8, 1}) // SERVING
	case sick:
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// says is the body of every answer.
func (b *backend) says(r *http.Request) []byte {
	headers := map[string]string{}
	for name, values := range r.Header {
		headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	told := map[string]any{
		"backend": b.name, "method": r.Method, "path": r.RequestURI, "authority": r.Host, "protocol": r.Proto, "headers": headers,
	}
	if r.TLS != nil {
		told["sni"] = r.TLS.ServerName
		if len(r.TLS.PeerCertificates) > 0 {
			told["client"] = r.TLS.PeerCertificates[0].Subject.String()
		}
	}
	text, _ := json.Marshal(told)
	return append(text, '\n')
}

func answerHTTP(w http.ResponseWriter, m manners, body []byte) {
	if m.Status == 0 {
		m.Status = http.StatusOK
	}
	w.Header().Set("content-type", "application/json")
	w.WriteHeader(m.Status)
	_, _ = w.Write(body)
}

func answerGRPC(w http.ResponseWriter, m manners, message []byte) {
	w.Header().Set("content-type", "application/grpc")
	if m.GRPC != 0 {
		w.Header().Set("grpc-status", fmt.Sprint(m.GRPC))
		w.Header().Set("grpc-message", "as the test wanted")
		return
	}
	w.Header().Set(http.TrailerPrefix+"grpc-status", "0")
	for name, value := range m.Trailers {
		w.Header().Set(http.TrailerPrefix+name, value)
	}
	n := len(message)
	_, _ = w.Write(append([]byte{0, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, message...))
}

// wait is over with the delay; false: the client has gone before.
func (m *manners) wait(r *http.Request) bool {
	if m.DelayMS == 0 {
		return true
	}
	timer := time.NewTimer(time.Duration(m.DelayMS) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}
