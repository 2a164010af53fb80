// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"sync"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	loadstats "github.com/envoyproxy/go-control-plane/envoy/service/load_stats/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/proto"
)

// mostKept bounds what is kept of one stream; what comes afterwards is only counted.
const mostKept = 20000

// journal tells a test what happened: every stream that there was, and what came and went on it.
type journal struct {
	mutex   sync.Mutex
	began   time.Time
	streams []*stream
}

// stream is what a test sees of one.
type stream struct {
	ID        int                 `json:"id"`
	Kind      string              `json:"kind"` // sotw, delta, lrs
	Open      bool                `json:"open"`
	Peer      string              `json:"peer"`
	Client    string              `json:"client"` // whom its certificate names
	Metadata  map[string][]string `json:"metadata"`
	Node      json.RawMessage     `json:"node"`
	Requests  []asked             `json:"requests"`
	Responses []told              `json:"responses"`
	Reports   []json.RawMessage   `json:"reports"`
	Acks      int                 `json:"acks"`
	Nacks     int                 `json:"nacks"`

	journal  *journal
	wire     *wire
	answered map[string]bool   // nonces that the client has said yes or no to
	versions map[string]string // of the answers, by nonce
}

// asked is a DiscoveryRequest or DeltaDiscoveryRequest.
type asked struct {
	AtMS        int64             `json:"at_ms"`
	What        string            `json:"what"` // subscribe, ack, nack
	Type        string            `json:"type"`
	Version     string            `json:"version"` // delta, which has none: of the answer that it is about
	Nonce       string            `json:"nonce"`
	Names       []string          `json:"names"` // delta: those subscribed to
	Unsubscribe []string          `json:"unsubscribe,omitempty"`
	Initial     map[string]string `json:"initial_versions,omitempty"`
	Code        int32             `json:"code,omitempty"`
	Error       string            `json:"error,omitempty"`
}

// told is a DiscoveryResponse or DeltaDiscoveryResponse.
type told struct {
	AtMS      int64    `json:"at_ms"`
	Type      string   `json:"type"`
	Version   string   `json:"version"`
	Nonce     string   `json:"nonce"`
	Resources int      `json:"resources"`
	Removed   []string `json:"removed,omitempty"`
	Bytes     int      `json:"bytes"`
}

func (j *journal) open(kind string, from *peer.Peer, metadata map[string][]string, w *wire) *stream {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	opened := &stream{
		ID: len(j.streams), Kind: kind, Open: true, Peer: from.Addr.String(), Client: clientOf(from), Metadata: metadata, Node: json.RawMessage("null"),
		Requests: []asked{}, Responses: []told{}, Reports: []json.RawMessage{},
		journal: j, wire: w, answered: map[string]bool{}, versions: map[string]string{},
	}
	j.streams = append(j.streams, opened)
	return opened
}

func clientOf(from *peer.Peer) string {
	if info, ok := from.AuthInfo.(credentials.TLSInfo); ok && len(info.State.PeerCertificates) > 0 {
		return info.State.PeerCertificates[0].Subject.String()
	}
	return ""
}

func (s *stream) closed() {
	s.journal.mutex.Lock()
	defer s.journal.mutex.Unlock()
	s.Open = false
}

func (j *journal) now() int64 { return time.Since(j.began).Milliseconds() }

// came writes down what a client sent.
func (s *stream) came(message proto.Message) {
	s.journal.mutex.Lock()
	defer s.journal.mutex.Unlock()
	switch request := message.(type) {
	case *discovery.DiscoveryRequest:
		s.node(request.Node)
		s.asked(request.ErrorDetail, asked{
			Type: request.TypeUrl, Version: request.VersionInfo, Nonce: request.ResponseNonce, Names: request.ResourceNames,
		})
	case *discovery.DeltaDiscoveryRequest:
		s.node(request.Node)
		s.asked(request.ErrorDetail, asked{
			Type: request.TypeUrl, Version: s.versions[request.ResponseNonce], Nonce: request.ResponseNonce,
			Names:       request.ResourceNamesSubscribe,
			Unsubscribe: request.ResourceNamesUnsubscribe, Initial: request.InitialResourceVersions,
		})
	case *loadstats.LoadStatsRequest:
		s.node(request.Node)
		if len(s.Reports) < mostKept {
			s.Reports = append(s.Reports, show(request))
		}
	}
}

func (s *stream) node(node *core.Node) {
	if node != nil {
		s.Node = show(node)
	}
}

// asked tells a yes or no to an answer, once for each nonce, from a mere change of what is wanted.
func (s *stream) asked(failure *status.Status, request asked) {
	request.AtMS = s.journal.now()
	request.What = "subscribe"
	if request.Names == nil {
		request.Names = []string{}
	}
	if failure != nil {
		request.What, request.Code, request.Error = "nack", failure.Code, failure.Message
		s.Nacks++
	} else if request.Nonce != "" && !s.answered[request.Nonce] {
		request.What = "ack"
		s.Acks++
	}
	s.answered[request.Nonce] = true
	if len(s.Requests) < mostKept {
		s.Requests = append(s.Requests, request)
	}
}

// went writes down what was sent.
func (s *stream) went(message any) {
	var answer told
	switch response := message.(type) {
	case *discovery.DiscoveryResponse:
		answer = told{
			Type: response.TypeUrl, Version: response.VersionInfo, Nonce: response.Nonce, Resources: len(response.Resources),
			Bytes: proto.Size(response),
		}
	case *discovery.DeltaDiscoveryResponse:
		answer = told{
			Type: response.TypeUrl, Version: response.SystemVersionInfo, Nonce: response.Nonce, Resources: len(response.Resources),
			Removed: response.RemovedResources, Bytes: proto.Size(response),
		}
	case rawMessage:
		answer = told{Bytes: len(response)}
	default:
		return
	}
	s.journal.mutex.Lock()
	defer s.journal.mutex.Unlock()
	answer.AtMS = s.journal.now()
	s.versions[answer.Nonce] = answer.Version
	if len(s.Responses) < mostKept {
		s.Responses = append(s.Responses, answer)
	}
}

// state is everything, as JSON.
func (j *journal) state() ([]byte, error) {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	streams := j.streams
	if streams == nil {
		streams = []*stream{}
	}
	return json.Marshal(map[string]any{"began_us": j.began.UnixMicro(), "now_ms": j.now(), "streams": streams})
}

// chosen are the wires of open streams: of one, or of all of discovery (id < 0).
func (j *journal) chosen(id int) []*wire {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	var found []*wire
	for _, s := range j.streams {
		if s.Open && (s.ID == id || id < 0 && s.Kind != "lrs") {
			found = append(found, s.wire)
		}
	}
	return found
}
