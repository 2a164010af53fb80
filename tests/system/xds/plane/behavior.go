// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// obey takes "rpc-behavior" of gRPC's xDS test descriptions: what a request wants of the backend that gets it, as
// "sleep-2", "keep-open", "error-code-14", "succeed-on-retry-attempt-1,error-code-14", each for one backend only after
// "hostname=NAME ". Error codes from 100 on are HTTP's.
func (m *manners) obey(name string, headers http.Header) {
	attempts := attemptsBefore(headers)
	for wish := range strings.SplitSeq(strings.Join(headers.Values("rpc-behavior"), ","), ",") {
		wish = strings.TrimSpace(wish)
		if host, found := strings.CutPrefix(wish, "hostname="); found {
			var whose string
			if whose, wish, _ = strings.Cut(host, " "); whose != name {
				continue
			}
		}
		if after, found := strings.CutPrefix(wish, "succeed-on-retry-attempt-"); found && after == attempts {
			return
		}
		m.take(wish)
	}
}

// attemptsBefore is how many there were, as gRPC counts or, one more, as Envoy and libmesh do.
func attemptsBefore(headers http.Header) string {
	if text := headers.Get("grpc-previous-rpc-attempts"); text != "" {
		return text
	}
	for _, name := range []string{"x-envoy-attempt-count", "x-mesh-attempt"} {
		if n, err := strconv.Atoi(headers.Get(name)); err == nil {
			return strconv.Itoa(n - 1)
		}
	}
	return "0"
}

func (m *manners) take(wish string) {
	if wish == "keep-open" {
		m.DelayMS = int(time.Hour / time.Millisecond)
		return
	}
	if text, found := strings.CutPrefix(wish, "sleep-"); found {
		seconds, _ := strconv.ParseFloat(text, 64)
		m.DelayMS = int(seconds * 1000)
	}
	if text, found := strings.CutPrefix(wish, "error-code-"); found {
		code, _ := strconv.Atoi(text)
		m.GRPC = code
		if code >= 100 {
			m.GRPC, m.Status = 0, code
		}
	}
}
