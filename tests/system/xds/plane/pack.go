// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"flag"
	"io"
	"os"
)

// pack turns the JSON of one resource on stdin into the bytes of the message on stdout.
func pack(args []string) error {
	if err := parse(flag.NewFlagSet("pack", flag.ContinueOnError), args); err != nil {
		return err
	}
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	wrapped, err := packed(json.RawMessage(text))
	if err != nil {
		return err
	}
	if _, err = os.Stdout.Write(wrapped.Value); err != nil {
		return err
	}
	os.Exit(0)
	return nil
}
