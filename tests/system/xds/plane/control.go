// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	loadstats "github.com/envoyproxy/go-control-plane/envoy/service/load_stats/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
)

// controls is what a test may ask of a plane.
func (p *plane) controls() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /state", func(w http.ResponseWriter, _ *http.Request) {
		text, err := p.journal.state()
		reply(w, text, err)
	})
	mux.HandleFunc("PUT /snapshot", taking(p.putSnapshot))
	mux.HandleFunc("PUT /behaviour", taking(func(given behaviour) (any, error) {
		p.behave(given)
		return nil, nil
	}))
	mux.HandleFunc("PUT /canned", taking(p.putCanned))
	mux.HandleFunc("PUT /reporting", taking(p.putReporting))
	mux.HandleFunc("POST /send", taking(p.postSend))
	mux.HandleFunc("POST /close", taking(p.postClose))
	mux.HandleFunc("POST /encode", taking(func(text json.RawMessage) (any, error) { return packed(text) }))
	return mux
}

// taking makes a handler of a function that takes the request's JSON, and whose result is JSON again.
func taking[T any](act func(T) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var given T
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(body, &given)
		}
		var result any
		if err == nil {
			result, err = act(given)
		}
		text, encoding := json.Marshal(result)
		reply(w, text, errors.Join(err, encoding))
	}
}

func reply(w http.ResponseWriter, text []byte, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("content-type", "application/json")
	_, _ = w.Write(text)
}

type snapshotJSON struct {
	Node      string            `json:"node"`
	Version   string            `json:"version"`
	Versions  map[string]string `json:"versions"`
	TTLMS     int64             `json:"ttl_ms"`
	Resources []json.RawMessage `json:"resources"`
}

func (p *plane) putSnapshot(given snapshotJSON) (any, error) {
	resources, err := readResources(given.Resources)
	if err != nil {
		return nil, err
	}
	began := time.Now().UnixMicro()
	err = p.set(given.Node, &snapshot{
		Version: given.Version, Versions: fullKinds(given.Versions), TTL: time.Duration(given.TTLMS) * time.Millisecond,
		Resources: resources,
	})
	return map[string]int64{"at_us": began}, err
}

func (p *plane) putCanned(given map[string]*answer) (any, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.canned = fullKinds(given)
	return nil, nil
}

func (p *plane) putReporting(text json.RawMessage) (any, error) {
	wanted := &loadstats.LoadStatsResponse{}
	if err := protojson.Unmarshal(text, wanted); err != nil {
		return nil, err
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.reporting = wanted
	return nil, nil
}

type target struct {
	Stream *int `json:"stream"` // without it all of discovery
}

func (t target) wires(p *plane) ([]*wire, error) {
	id := -1
	if t.Stream != nil {
		id = *t.Stream
	}
	found := p.journal.chosen(id)
	if len(found) == 0 {
		return nil, fmt.Errorf("no such stream is open")
	}
	return found, nil
}

func (p *plane) postSend(given struct {
	target
	answer
}) (any, error) {
	found, err := given.wires(p)
	for _, w := range found {
		err = errors.Join(err, p.send(w, &given.answer))
	}
	return nil, err
}

func (p *plane) postClose(given struct {
	target
	refuse
}) (any, error) {
	found, err := given.wires(p)
	for _, w := range found {
		if given.Code == codes.OK {
			w.close(nil)
		} else {
			w.close(status.Error(given.Code, given.Message))
		}
	}
	return nil, err
}
