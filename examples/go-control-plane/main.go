// SPDX-License-Identifier: Apache-2.0

// The smallest control plane that libmesh, gRPC and Envoy's clients of API listeners can use: go-control-plane with fixed endpoints.
//
//	go-control-plane LISTEN SERVICE=HOST:PORT[,HOST:PORT...] ...
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	router "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcm "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// Whoever asks is served the same.
type everybody struct{}

func (everybody) ID(*core.Node) string { return "" }

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func packed(message proto.Message) *anypb.Any { return must(anypb.New(message)) }

func ads() *core.ConfigSource {
	return &core.ConfigSource{ConfigSourceSpecifier: &core.ConfigSource_Ads{Ads: &core.AggregatedConfigSource{}}}
}

// api is the listener that a client asks for by the service's name, with the routes in it.
func api(name string) *listener.Listener {
	to := &route.Route_Route{Route: &route.RouteAction{ClusterSpecifier: &route.RouteAction_Cluster{Cluster: name}}}
	match := &route.RouteMatch{PathSpecifier: &route.RouteMatch_Prefix{Prefix: "/"}}
	host := &route.VirtualHost{Name: name, Domains: []string{"*"}, Routes: []*route.Route{{Match: match, Action: to}}}
	routes := &route.RouteConfiguration{Name: name, VirtualHosts: []*route.VirtualHost{host}}
	filter := &hcm.HttpFilter{Name: "router", ConfigType: &hcm.HttpFilter_TypedConfig{TypedConfig: packed(&router.Router{})}}
	manager := &hcm.HttpConnectionManager{
		RouteSpecifier: &hcm.HttpConnectionManager_RouteConfig{RouteConfig: routes},
		HttpFilters:    []*hcm.HttpFilter{filter},
	}
	return &listener.Listener{Name: name, ApiListener: &listener.ApiListener{ApiListener: packed(manager)}}
}

// eds is the cluster, whose endpoints are a resource of their own.
func eds(name string) *cluster.Cluster {
	kind := &cluster.Cluster_Type{Type: cluster.Cluster_EDS}
	return &cluster.Cluster{Name: name, ClusterDiscoveryType: kind, EdsClusterConfig: &cluster.Cluster_EdsClusterConfig{EdsConfig: ads()}}
}

func members(name, addresses string) *endpoint.ClusterLoadAssignment {
	locality := &endpoint.LocalityLbEndpoints{Locality: &core.Locality{Zone: "here"}}
	for _, text := range strings.Split(addresses, ",") {
		host, port, err := net.SplitHostPort(text)
		number := must(strconv.ParseUint(port, 10, 16))
		socket := &core.SocketAddress{Address: must(host, err), PortSpecifier: &core.SocketAddress_PortValue{PortValue: uint32(number)}}
		address := &core.Address{Address: &core.Address_SocketAddress{SocketAddress: socket}}
		one := &endpoint.LbEndpoint_Endpoint{Endpoint: &endpoint.Endpoint{Address: address}}
		locality.LbEndpoints = append(locality.LbEndpoints, &endpoint.LbEndpoint{HostIdentifier: one})
	}
	return &endpoint.ClusterLoadAssignment{ClusterName: name, Endpoints: []*endpoint.LocalityLbEndpoints{locality}}
}

func main() {
	if len(os.Args) < 3 {
		log.Fatal("usage: go-control-plane LISTEN SERVICE=HOST:PORT[,HOST:PORT...] ...")
	}
	resources := map[resource.Type][]types.Resource{}
	for _, text := range os.Args[2:] {
		name, addresses, found := strings.Cut(text, "=")
		if !found {
			log.Fatalf("%q is not SERVICE=HOST:PORT[,HOST:PORT...]", text)
		}
		resources[resource.ListenerType] = append(resources[resource.ListenerType], api(name))
		resources[resource.ClusterType] = append(resources[resource.ClusterType], eds(name))
		resources[resource.EndpointType] = append(resources[resource.EndpointType], members(name, addresses))
	}
	version := fmt.Sprint(time.Now().Unix())
	snapshots := cache.NewSnapshotCache(false, everybody{}, nil) // false: who asks for one service is answered without the others
	if err := snapshots.SetSnapshot(context.Background(), "", must(cache.NewSnapshot(version, resources))); err != nil {
		log.Fatal(err)
	}
	serving := grpc.NewServer()
	discovery.RegisterAggregatedDiscoveryServiceServer(serving, server.NewServer(context.Background(), snapshots, nil))
	log.Fatal(serving.Serve(must(net.Listen("tcp", os.Args[1]))))
}
