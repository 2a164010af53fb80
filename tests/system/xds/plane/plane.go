// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"maps"
	"slices"
	"sync"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	loadstats "github.com/envoyproxy/go-control-plane/envoy/service/load_stats/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	xdslog "github.com/envoyproxy/go-control-plane/pkg/log"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"
)

// behaviour is how a plane answers, as the test last said.
type behaviour struct {
	Manual     bool    `json:"manual"`      // answers are canned or sent one by one, go-control-plane is out of it
	Silent     bool    `json:"silent"`      // reads, and answers when this is over
	Refuse     *refuse `json:"refuse"`      // new streams end at once
	CloseAfter int     `json:"close_after"` // streams end with OK after so many answers
	Throttle   int     `json:"throttle"`    // bytes a second
}

type refuse struct {
	Code    codes.Code `json:"code"`
	Message string     `json:"message"`
}

// plane is one control plane.
type plane struct {
	journal journal
	gate    *gate
	cache   cache.Cache
	set     func(node string, snapshot *snapshot) error

	mutex     sync.Mutex
	behaviour behaviour
	canned    map[string]*answer // by type URL
	nonces    int
	owners    map[string]bool // nodes with a snapshot of their own
	reporting *loadstats.LoadStatsResponse
}

// snapshot is what a test puts in: all resources of all types.
type snapshot struct {
	Version   string
	Versions  map[string]string // by type URL, where they differ from Version
	TTL       time.Duration
	Resources resourceSet
}

func controlPlane(args []string) error {
	flags := flag.NewFlagSet("control", flag.ContinueOnError)
	address := flags.String("listen", "127.0.0.1:0", "where xDS is served: HOST:PORT or unix:PATH")
	control := flags.String("control", "127.0.0.1:0", "where tests steer")
	mode := flags.String("mode", "ads", "ads: snapshots; a request that does not name all resources of a snapshot gets no answer. "+
		"filtered: snapshots; whoever asks gets what he asked for. linear: a cache a type, versions are its own")
	var files tlsFiles
	files.flags(flags)
	if err := parse(flags, args); err != nil {
		return err
	}
	p, err := newPlane(*mode)
	if err != nil {
		return err
	}
	if err := serveHTTP(*control, p.controls()); err != nil {
		return err
	}
	return p.serve(*address, &files)
}

func newPlane(mode string) (*plane, error) {
	p := &plane{gate: newGate(), canned: map[string]*answer{}, owners: map[string]bool{}}
	p.journal.began = time.Now()
	p.reporting = &loadstats.LoadStatsResponse{}
	switch mode {
	case "ads":
		p.useSnapshots(true)
	case "filtered":
		p.useSnapshots(false)
	case "linear":
		p.useLinear()
	default:
		return nil, fmt.Errorf("-mode %q: ads, filtered or linear", mode)
	}
	return p, nil
}

func (p *plane) serve(address string, files *tlsFiles) error {
	config, err := files.config()
	if err != nil {
		return err
	}
	options := []grpc.ServerOption{
		grpc.StreamInterceptor(p.watch), grpc.ForceServerCodecV2(newCodec()), grpc.MaxRecvMsgSize(1 << 30),
	}
	if config != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(config)))
	}
	listener, err := listen(address)
	if err != nil {
		return err
	}
	frontend := grpc.NewServer(options...)
	discovery.RegisterAggregatedDiscoveryServiceServer(frontend, server.NewServer(context.Background(), p.cache, nil))
	loadstats.RegisterLoadReportingServiceServer(frontend, p)
	go func() { log.Fatal(frontend.Serve(slowListener{listener, p})) }()
	return nil
}

func logger() xdslog.Logger {
	return xdslog.LoggerFuncs{InfoFunc: log.Printf, WarnFunc: log.Printf, ErrorFunc: log.Printf}
}

// anyNode is the owner of the snapshot for nodes that have none of their own.
const anyNode = ""

// ID tells go-control-plane whose snapshot a node gets.
func (p *plane) ID(node *core.Node) string {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.owners[node.GetId()] {
		return node.GetId()
	}
	return anyNode
}

func (p *plane) useSnapshots(ads bool) {
	snapshots := cache.NewSnapshotCacheWithHeartbeating(context.Background(), ads, p, logger(), time.Second)
	p.cache = snapshots
	p.set = func(node string, given *snapshot) error {
		p.own(node)
		return snapshots.SetSnapshot(context.Background(), node, given.made())
	}
}

func (p *plane) own(node string) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.owners[node] = true
}

// made is the snapshot as go-control-plane has it. All types have a version, those without resources too.
func (s *snapshot) made() *cache.Snapshot {
	made := &cache.Snapshot{}
	for _, kind := range kinds {
		version, found := s.Versions[kind]
		if !found {
			version = s.Version
		}
		items := map[string]types.ResourceWithTTL{}
		for name, one := range s.Resources[kind] {
			items[name] = types.ResourceWithTTL{Resource: one}
			if s.TTL > 0 {
				items[name] = types.ResourceWithTTL{Resource: one, TTL: &s.TTL}
			}
		}
		made.Resources[cache.GetResponseType(kind)] = cache.Resources{Version: version, Items: items}
	}
	return made
}

func (p *plane) useLinear() {
	mux := &cache.MuxCache{
		Classify:      func(request *cache.Request) string { return request.TypeUrl },
		ClassifyDelta: func(request *cache.DeltaRequest) string { return request.TypeUrl },
		Caches:        map[string]cache.Cache{},
	}
	byKind := map[resource.Type]*cache.LinearCache{}
	for _, kind := range kinds {
		byKind[kind] = cache.NewLinearCache(kind, cache.WithLogger(logger()))
		mux.Caches[kind] = byKind[kind]
	}
	p.cache = mux
	p.set = func(_ string, given *snapshot) error {
		for kind, linear := range byKind {
			changeLinear(linear, given.Resources[kind])
		}
		return nil
	}
}

// changeLinear touches only what is different, since every touch is a new version.
func changeLinear(linear *cache.LinearCache, wanted map[string]types.Resource) {
	changed := map[string]types.Resource{}
	gone := []string{}
	present := linear.GetResources()
	for name := range present {
		if wanted[name] == nil {
			gone = append(gone, name)
		}
	}
	for name, one := range wanted {
		if present[name] == nil || string(show(present[name])) != string(show(one)) {
			changed[name] = one
		}
	}
	if len(changed)+len(gone) == 0 {
		return
	}
	if err := linear.UpdateResources(changed, gone); err != nil {
		log.Print(err)
	}
}

func (p *plane) behave(now behaviour) {
	p.mutex.Lock()
	p.behaviour = now
	p.mutex.Unlock()
	p.gate.set(!now.Silent)
}

func (p *plane) behaves() behaviour {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.behaviour
}

func (p *plane) isManual() bool   { return p.behaves().Manual }
func (p *plane) closesAfter() int { return p.behaves().CloseAfter }
func (p *plane) throttle() int    { return p.behaves().Throttle }

func (p *plane) refusal() error {
	if now := p.behaves(); now.Refuse != nil {
		return status.Error(now.Refuse.Code, now.Refuse.Message)
	}
	return nil
}

// StreamLoadStats says what is to be reported, and takes it; the journal keeps what comes.
func (p *plane) StreamLoadStats(stream loadstats.LoadReportingService_StreamLoadStatsServer) error {
	if _, err := stream.Recv(); err != nil {
		return err
	}
	if err := stream.Send(p.reports()); err != nil {
		return err
	}
	for {
		if _, err := stream.Recv(); err != nil {
			return err
		}
	}
}

func (p *plane) reports() *loadstats.LoadStatsResponse {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.reporting
}

// kindOf completes the short name of a type: "Cluster".
func kindOf(name string) string {
	i := slices.IndexFunc(kinds, func(kind string) bool { return len(kind) > len(name) && kind[len(kind)-len(name)-1:] == "."+name })
	if i < 0 {
		return name
	}
	return kinds[i]
}

// fullKinds does so with the keys of a map.
func fullKinds[V any](short map[string]V) map[string]V {
	full := map[string]V{}
	for name, value := range maps.All(short) {
		full[kindOf(name)] = value
	}
	return full
}
