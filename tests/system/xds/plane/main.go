// SPDX-License-Identifier: Apache-2.0

// What stands behind the tests of xDS: a control plane that is go-control-plane or lies, and backends that say who they are.
// A test steers both by JSON over HTTP on loopback.
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	log.SetFlags(log.Ltime | log.Lmicroseconds)
	commands := map[string]func([]string) error{"control": controlPlane, "backends": backends, "pack": pack}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: plane control|backends|pack [FLAG...]")
		os.Exit(2)
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	if err := commands[os.Args[1]](os.Args[2:]); err != nil {
		log.Fatal(err)
	}
	go endWithParent(ended)
	<-ended
}

// endWithParent: a test that is killed leaves nobody behind.
func endWithParent(ended chan<- os.Signal) {
	parent := os.Getppid()
	for os.Getppid() == parent {
		time.Sleep(time.Second)
	}
	ended <- syscall.SIGTERM
}

// listen takes HOST:PORT or unix:PATH, where a socket that a killed process left is removed.
func listen(address string) (net.Listener, error) {
	path, isUnix := strings.CutPrefix(address, "unix:")
	if !isUnix {
		return net.Listen("tcp", address)
	}
	_ = os.Remove(path)
	return net.Listen("unix", path)
}

// serveHTTP answers at an address until the process ends.
func serveHTTP(address string, handler http.Handler) error {
	listener, err := listen(address)
	if err != nil {
		return err
	}
	go func() { log.Fatal(http.Serve(listener, handler)) }()
	return nil
}

// parse reads a command's flags; nothing else may stand there.
func parse(flags *flag.FlagSet, args []string) error {
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%s takes flags only, not %q", flags.Name(), flags.Arg(0))
	}
	return nil
}
