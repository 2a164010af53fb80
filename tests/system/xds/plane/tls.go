// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"os"
)

// tlsFiles are the PEM files that a server is to go by: none of them means cleartext.
type tlsFiles struct{ cert, key, clientCA string }

func (files *tlsFiles) flags(flags *flag.FlagSet) {
	flags.StringVar(&files.cert, "cert", "", "PEM file of the certificate and what leads to its root")
	flags.StringVar(&files.key, "key", "", "PEM file of the certificate's key")
	flags.StringVar(&files.clientCA, "client-ca", "", "PEM file of roots: clients must show a certificate of one of them")
}

// config is nil for cleartext.
func (files *tlsFiles) config() (*tls.Config, error) {
	if files.cert == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(files.cert, files.key)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"}}
	if files.clientCA == "" {
		return config, nil
	}
	roots, err := os.ReadFile(files.clientCA)
	if err != nil {
		return nil, err
	}
	config.ClientCAs = x509.NewCertPool()
	if !config.ClientCAs.AppendCertsFromPEM(roots) {
		return nil, fmt.Errorf("%s has no certificate", files.clientCA)
	}
	config.ClientAuth = tls.RequireAndVerifyClientCert
	return config, nil
}
