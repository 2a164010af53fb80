//go:build tools

// Package tools pins what h2specd is built from: h2spec has no go.mod of its own, and the newest versions of what it
// needs want a newer Go than Debian 12 has. Built by scripts/deps.
package tools

import _ "github.com/summerwind/h2spec/cmd/h2specd"
