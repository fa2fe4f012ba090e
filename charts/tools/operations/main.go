// Checks what people who operate the operator rely on. In: files; no network, no cluster. Out: one line for each fault, and exit code 1.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// What a command is called with, and what it does: it returns what was looked at, in words.
var commands = map[string]struct {
	usage string
	run   func(args []string) (string, error)
}{
	"alerts":    {"RULES TESTS RUNBOOK METRICS", checkAlerts},
	"dashboard": {"DASHBOARD METRICS", checkDashboard},
}

func main() {
	name, args := "", []string{}
	if len(os.Args) > 1 {
		name, args = os.Args[1], os.Args[2:]
	}
	command, known := commands[name]
	words := strings.Fields(command.usage)
	if !known || len(args) < len(words) {
		fmt.Fprintln(os.Stderr, "usage:")
		for name, command := range commands {
			fmt.Fprintf(os.Stderr, "  check-operations %s %s\n", name, command.usage)
		}
		os.Exit(2)
	}
	found, err := command.run(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(found)
}

// Collects faults, so that one run shows all of them.
type faults []error

func (f *faults) add(format string, values ...any) {
	*f = append(*f, fmt.Errorf(format, values...))
}

func (f faults) error() error { return errors.Join(f...) }
