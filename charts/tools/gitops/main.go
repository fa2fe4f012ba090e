// Checks of the GitOps files, with the code of Flux and of Argo CD. In: files; for `flux-sync` and `argocd-sync` also KUBECONFIG, an empty cluster.
// Out: one line for each fault, and exit code 1.
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
	"health":        {"TABLE STATES_FOLDER HEALTH_LUA", checkHealth},
	"argocd":        {"CONFIG_MAP HEALTH_LUA", checkArgoCD},
	"argocd-groups": {"KUSTOMIZATION OBJECT", checkArgoCDGroups},
	"manifests":     {"FILES...", checkManifests},
	"flux-sync":     {"FILES...", checkFluxSync},
	"argocd-sync":   {"HEALTH_LUA STATES_FOLDER FILES...", checkArgoCDSync},
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
			fmt.Fprintf(os.Stderr, "  check-gitops %s %s\n", name, command.usage)
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
