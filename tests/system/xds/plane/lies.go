// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
)

// answer is a response that a test made up.
type answer struct {
	Type      string            `json:"type"`
	Version   string            `json:"version"`
	Nonce     *string           `json:"nonce"`     // without one the next number
	Resources []json.RawMessage `json:"resources"` // as packed() takes them
	Wrap      bool              `json:"wrap"`      // SotW: in Resource messages, as with a time to live
	TTL       string            `json:"ttl"`       // of wrapped resources, as "1.5s"
	Removed   []string          `json:"removed"`   // delta
	Errors    json.RawMessage   `json:"errors"`    // resource_errors, a list
	Bytes     []byte            `json:"bytes"`     // instead of all that: what stands where the message belongs
}

// lie serves a stream from the test's canned answers, where something is newly wanted; everything else the test sends itself.
func (p *plane) lie(_ any, ss grpc.ServerStream) error {
	w := ss.(*wire)
	next := nextWish
	if w.stream.Kind == "delta" {
		next = nextDeltaWish
	}
	wanted := map[string][]string{}
	for {
		kind, isNew, err := next(w, wanted)
		if err != nil {
			return err
		}
		canned := p.cannedFor(kind)
		if !isNew || canned == nil {
			continue
		}
		if err := p.send(w, canned); err != nil {
			return err
		}
	}
}

func (p *plane) cannedFor(kind string) *answer {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.canned[kind]
}

func nextWish(w *wire, wanted map[string][]string) (kind string, isNew bool, err error) {
	var request discovery.DiscoveryRequest
	err = w.RecvMsg(&request)
	before, known := wanted[request.TypeUrl]
	wanted[request.TypeUrl] = request.ResourceNames
	return request.TypeUrl, !known || !slices.Equal(before, request.ResourceNames), err
}

func nextDeltaWish(w *wire, wanted map[string][]string) (kind string, isNew bool, err error) {
	var request discovery.DeltaDiscoveryRequest
	err = w.RecvMsg(&request)
	_, known := wanted[request.TypeUrl]
	wanted[request.TypeUrl] = nil
	return request.TypeUrl, !known || len(request.ResourceNamesSubscribe) > 0, err
}

// send makes the message that fits the stream, and sends it.
func (p *plane) send(w *wire, given *answer) error {
	if given.Bytes != nil {
		return w.SendMsg(rawMessage(given.Bytes))
	}
	made := *given
	if made.Nonce == nil {
		p.mutex.Lock()
		p.nonces++
		nonce := fmt.Sprint("lie-", p.nonces)
		p.mutex.Unlock()
		made.Nonce = &nonce
	}
	build := made.sotw
	if w.stream.Kind == "delta" {
		build = made.delta
	}
	message, err := build()
	if err != nil {
		return err
	}
	return w.SendMsg(message)
}

func (a *answer) sotw() (proto.Message, error) {
	response := &discovery.DiscoveryResponse{VersionInfo: a.Version, TypeUrl: kindOf(a.Type), Nonce: *a.Nonce}
	if a.Errors != nil {
		with, err := json.Marshal(map[string]json.RawMessage{"resource_errors": a.Errors})
		if err != nil {
			return nil, err
		}
		errors := &discovery.DiscoveryResponse{}
		if err := protojson.Unmarshal(with, errors); err != nil {
			return nil, err
		}
		response.ResourceErrors = errors.ResourceErrors
	}
	for _, text := range a.Resources {
		one, err := packed(text)
		if err == nil && a.Wrap {
			one, err = a.wrapped(one)
		}
		if err != nil {
			return nil, err
		}
		response.Resources = append(response.Resources, one)
	}
	return response, nil
}

func (a *answer) delta() (proto.Message, error) {
	response := &discovery.DeltaDiscoveryResponse{
		SystemVersionInfo: a.Version, TypeUrl: kindOf(a.Type), Nonce: *a.Nonce, RemovedResources: a.Removed,
	}
	for _, text := range a.Resources {
		one, err := packed(text)
		if err != nil {
			return nil, err
		}
		inside, err := a.resource(one)
		if err != nil {
			return nil, err
		}
		response.Resources = append(response.Resources, inside)
	}
	return response, nil
}

// resource is the message around a resource that carries its name, version and time to live.
func (a *answer) resource(content *anypb.Any) (*discovery.Resource, error) {
	around := &discovery.Resource{Version: a.Version, Resource: content}
	if message, err := content.UnmarshalNew(); err == nil {
		around.Name = cache.GetResourceName(message)
	}
	if a.TTL == "" {
		return around, nil
	}
	ttl, err := time.ParseDuration(a.TTL)
	around.Ttl = durationpb.New(ttl)
	return around, err
}

func (a *answer) wrapped(content *anypb.Any) (*anypb.Any, error) {
	around, err := a.resource(content)
	if err != nil {
		return nil, err
	}
	return anypb.New(around)
}
