package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/health"
	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// checkHealth compares what kstatus and Argo CD make of each object with the table. Table and folder must name the same situations.
func checkHealth(args []string) (string, error) {
	expected, err := readTable(args[0])
	if err != nil {
		return "", err
	}
	files, err := filepath.Glob(filepath.Join(args[1], "*.json"))
	if err != nil {
		return "", err
	}
	script, err := os.ReadFile(args[2])
	if err != nil {
		return "", err
	}
	var faults faults
	seen := map[string]bool{}
	for _, file := range files {
		situation := strings.TrimSuffix(filepath.Base(file), ".json")
		seen[situation] = true
		want, known := expected[situation]
		if !known {
			faults.add("%s: the table has no row for it", file)
			continue
		}
		got, err := assess(file, string(script))
		if err != nil {
			faults.add("%s: %w", file, err)
		} else if got != want {
			faults.add("%s: kstatus says %s and Argo CD %s; expected are %s and %s", situation, got.kstatus, got.argo, want.kstatus, want.argo)
		}
	}
	for situation := range expected {
		if !seen[situation] {
			faults.add("%s: %s has no such file", situation, args[1])
		}
	}
	if err := noExpressionHelps(filepath.Join(args[1], "suspended.json")); err != nil {
		faults = append(faults, err)
	}
	return fmt.Sprintf("%d situations, each by kstatus and by Argo CD", len(seen)), faults.error()
}

// noExpressionHelps: healthCheckExprs of Flux cannot make an object current that does not follow its generation. If they can one day, docs/gitops.md should.
func noExpressionHelps(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var object unstructured.Unstructured
	if err := object.UnmarshalJSON(text); err != nil {
		return err
	}
	always, err := cel.NewStatusEvaluator(&kustomize.HealthCheckExpressions{Current: "true"})
	if err != nil {
		return err
	}
	result, err := always.Evaluate(context.Background(), &object)
	if err == nil && result.Status != status.InProgressStatus {
		return fmt.Errorf("%s: with an expression that is always true, Flux says %s: docs/gitops.md says that none helps", file, result.Status)
	}
	return err
}

type seenAs struct{ kstatus, argo string }

func readTable(path string) (map[string]seenAs, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	table := map[string]seenAs{}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Scan() // the heading
	for lines.Scan() {
		fields := strings.Split(lines.Text(), "\t")
		if len(fields) != 3 {
			return nil, fmt.Errorf("%s: not three fields: %q", path, lines.Text())
		}
		table[fields[0]] = seenAs{fields[1], fields[2]}
	}
	return table, nil
}

func assess(file, script string) (seenAs, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return seenAs{}, err
	}
	var object unstructured.Unstructured
	if err := object.UnmarshalJSON(text); err != nil {
		return seenAs{}, err
	}
	result, err := status.Compute(&object)
	if err != nil {
		return seenAs{}, err
	}
	argo, err := health.GetResourceHealth(&object, healthScript(script))
	if err != nil {
		return seenAs{}, err
	}
	return seenAs{string(result.Status), string(argo.Status)}, nil
}

// runHealthScript gives the script what Argo CD gives it: Lua 5.1 with the base and table libraries, and the object as the global `obj`.
func runHealthScript(object []byte, script string) (*health.HealthStatus, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable} {
		if err := state.CallByParam(lua.P{Fn: state.NewFunction(open), Protect: true}, lua.LString(name)); err != nil {
			return nil, err
		}
	}
	var decoded any
	if err := json.Unmarshal(object, &decoded); err != nil {
		return nil, err
	}
	state.SetGlobal("obj", toLua(state, decoded))
	if err := state.DoString(script); err != nil {
		return nil, err
	}
	answer, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return nil, fmt.Errorf("health.lua returns %s, not a table", state.Get(-1).Type())
	}
	message := answer.RawGetString("message")
	if message.Type() != lua.LTString || message.String() == "" {
		return nil, fmt.Errorf("health.lua gives no message")
	}
	return &health.HealthStatus{Status: health.HealthStatusCode(answer.RawGetString("status").String()), Message: message.String()}, nil
}

func toLua(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case bool:
		return lua.LBool(value)
	case float64:
		return lua.LNumber(value)
	case string:
		return lua.LString(value)
	case []any:
		table := state.NewTable()
		for _, item := range value {
			table.Append(toLua(state, item))
		}
		return table
	case map[string]any:
		table := state.NewTable()
		for key, item := range value {
			table.RawSetString(key, toLua(state, item))
		}
		return table
	default:
		return lua.LNil
	}
}
