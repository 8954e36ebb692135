// Runs h2spec, strictly, against a server with TLS on this machine, and writes what it found as a JUnit report.
//
// Usage: h2spec PORT REPORT. The exit code says only whether it ran: what a failure means is for the caller to judge.
package main

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/summerwind/h2spec"
	"github.com/summerwind/h2spec/config"
)

// How long a test waits for an answer. Two seconds: a busy machine, and each test that a server fails costs as much.
const timeout = 2 * time.Second

// Bytes of the heads that are sent. 4000, as h2spec has it: below what any server takes.
const maxHeaderLen = 4000

func main() {
	if len(os.Args) != 3 {
		fail("usage: h2spec PORT REPORT")
	}
	port, err := strconv.Atoi(os.Args[1])
	if err != nil {
		fail(err)
	}
	_, err = h2spec.Run(&config.Config{
		Host:         "127.0.0.1",
		Port:         port,
		Path:         "/",
		Timeout:      timeout,
		MaxHeaderLen: maxHeaderLen,
		JUnitReport:  os.Args[2],
		Strict:       true,
		TLS:          true,
		Insecure:     true,
	})
	if err != nil {
		fail(err)
	}
}

func fail(why interface{}) {
	fmt.Fprintln(os.Stderr, why)
	os.Exit(1)
}
