// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// many stands for a ClusterLoadAssignment too large to be written down: the addresses of its ranges, counted from a base.
type many struct {
	Name   string      `json:"@many"`
	Base   netip.Addr  `json:"base"`
	Port   uint32      `json:"port"`
	Ranges [][2]uint32 `json:"ranges"` // first, and the one after the last
	Before []uint32    `json:"before"` // ports of 127.0.0.1 with priority 0; the ranges have 1 then
}

func (m *many) assignment() (*endpoint.ClusterLoadAssignment, error) {
	if !m.Base.Is4() {
		return nil, fmt.Errorf("the base of %s is not an IPv4 address", m.Name)
	}
	bytes := m.Base.As4()
	base := binary.BigEndian.Uint32(bytes[:])
	locality := &endpoint.LocalityLbEndpoints{
		Locality:            &core.Locality{Region: "r", Zone: "l0"},
		LoadBalancingWeight: wrapperspb.UInt32(1),
	}
	for _, limits := range m.Ranges {
		for i := limits[0]; i < limits[1]; i++ {
			locality.LbEndpoints = append(locality.LbEndpoints, m.one(base+i))
		}
	}
	localities := []*endpoint.LocalityLbEndpoints{locality}
	if len(m.Before) > 0 {
		locality.Priority = 1
		localities = []*endpoint.LocalityLbEndpoints{m.before(), locality}
	}
	return &endpoint.ClusterLoadAssignment{ClusterName: m.Name, Endpoints: localities}, nil
}

func (m *many) before() *endpoint.LocalityLbEndpoints {
	locality := &endpoint.LocalityLbEndpoints{
		Locality:            &core.Locality{Region: "r", Zone: "before"},
		LoadBalancingWeight: wrapperspb.UInt32(1),
	}
	for _, port := range m.Before {
		locality.LbEndpoints = append(locality.LbEndpoints, one("127.0.0.1", port))
	}
	return locality
}

func (m *many) one(address uint32) *endpoint.LbEndpoint {
	return one(netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, address))).String(), m.Port)
}

func one(host string, port uint32) *endpoint.LbEndpoint {
	where := &core.SocketAddress{Address: host, PortSpecifier: &core.SocketAddress_PortValue{PortValue: port}}
	return &endpoint.LbEndpoint{HostIdentifier: &endpoint.LbEndpoint_Endpoint{Endpoint: &endpoint.Endpoint{
		Address: &core.Address{Address: &core.Address_SocketAddress{SocketAddress: where}},
	}}}
}
