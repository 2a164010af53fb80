// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	// Types that may stand in an Any of a resource.
	_ "github.com/cncf/xds/go/udpa/type/v1"
	_ "github.com/cncf/xds/go/xds/type/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/clusters/aggregate/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/fault/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/local_ratelimit/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/lua/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/load_balancing_policies/client_side_weighted_round_robin/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/load_balancing_policies/least_request/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/load_balancing_policies/maglev/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/load_balancing_policies/pick_first/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/load_balancing_policies/random/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/load_balancing_policies/ring_hash/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/load_balancing_policies/round_robin/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/load_balancing_policies/wrr_locality/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/retry/host/previous_hosts/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/raw_buffer/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
)

// kinds are the types that a plane serves.
var kinds = []resource.Type{
	resource.ListenerType, resource.RouteType, resource.ClusterType, resource.EndpointType,
	resource.VirtualHostType, resource.ScopedRouteType, resource.SecretType, resource.RuntimeType, resource.ExtensionConfigType,
}

// resourceSet has resources by type and name.
type resourceSet map[resource.Type]map[string]types.Resource

// bare is an Any whose content need not make sense.
type bare struct {
	TypeURL string `json:"type_url"`
	Value   []byte `json:"value"`
}

// packed makes an Any of JSON: of a message by its "@type", or of {"type_url":, "value": base64} whatever the bytes are.
func packed(text json.RawMessage) (*anypb.Any, error) {
	var head map[string]json.RawMessage
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, err
	}
	if head["@type"] == nil {
		var given bare
		err := json.Unmarshal(text, &given)
		return &anypb.Any{TypeUrl: given.TypeURL, Value: given.Value}, err
	}
	result := &anypb.Any{}
	if err := protojson.Unmarshal(text, result); err != nil {
		return nil, fmt.Errorf("%w in %.300s", err, text)
	}
	return result, nil
}

// readResources sorts the resources of a snapshot.
func readResources(texts []json.RawMessage) (resourceSet, error) {
	set := resourceSet{}
	for _, kind := range kinds {
		set[kind] = map[string]types.Resource{}
	}
	for _, text := range texts {
		message, err := readResource(text)
		if err != nil {
			return nil, err
		}
		kind := resource.APITypePrefix + string(message.ProtoReflect().Descriptor().FullName())
		if set[kind] == nil {
			return nil, fmt.Errorf("%s is not the type of a resource", kind)
		}
		set[kind][cache.GetResourceName(message)] = message
	}
	return set, nil
}

func readResource(text json.RawMessage) (proto.Message, error) {
	if bytes.HasPrefix(text, []byte(`{"@many"`)) {
		var given many
		if err := json.Unmarshal(text, &given); err != nil {
			return nil, err
		}
		return given.assignment()
	}
	wrapped, err := packed(text)
	if err != nil {
		return nil, err
	}
	return wrapped.UnmarshalNew()
}

// show is a message as JSON, with the names of the proto files.
func show(message proto.Message) json.RawMessage {
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(message)
	if err != nil {
		text, _ = json.Marshal(map[string]string{"error": err.Error()})
	}
	return text
}
