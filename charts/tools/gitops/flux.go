package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/fluxcd/cli-utils/pkg/kstatus/polling"
	kustomize "github.com/fluxcd/kustomize-controller/api/v1"
	"github.com/fluxcd/pkg/ssa"
	"github.com/fluxcd/pkg/ssa/normalize"
	"github.com/fluxcd/pkg/ssa/utils"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// flux applies, compares and prunes with the options of kustomize-controller (internal/controller/kustomization_controller.go there).
type flux struct {
	manager *ssa.ResourceManager
}

var (
	leaveAlone = map[string]string{kustomize.GroupVersion.Group + "/reconcile": kustomize.DisabledValue}
	doNotPrune = map[string]string{
		kustomize.GroupVersion.Group + "/prune":     kustomize.DisabledValue,
		kustomize.GroupVersion.Group + "/reconcile": kustomize.DisabledValue,
	}
)

func (f *flux) prepare(objects []*unstructured.Unstructured) ([]*unstructured.Unstructured, error) {
	var copies []*unstructured.Unstructured
	for _, object := range objects {
		copies = append(copies, object.DeepCopy())
	}
	f.manager.SetOwnerLabels(copies, "connection-groups", "flux-system")
	return copies, normalize.UnstructuredList(copies)
}

func (f *flux) apply(ctx context.Context, objects []*unstructured.Unstructured) (map[string]ssa.Action, error) {
	prepared, err := f.prepare(objects)
	if err != nil {
		return nil, err
	}
	options := ssa.DefaultApplyOptions()
	options.ExclusionSelector = leaveAlone
	options.Cleanup = ssa.ApplyCleanupOptions{FieldManagers: []ssa.FieldManager{
		{Name: "kubectl", OperationType: metav1.ManagedFieldsOperationApply},
		{Name: "kubectl", OperationType: metav1.ManagedFieldsOperationUpdate},
	}}
	changes, err := f.manager.ApplyAllStaged(ctx, prepared, options)
	if err != nil {
		return nil, err
	}
	return changes.ToMap(), nil
}

// diff is what Flux finds to be drift.
func (f *flux) diff(ctx context.Context, objects []*unstructured.Unstructured) (map[string]ssa.Action, error) {
	prepared, err := f.prepare(objects)
	if err != nil {
		return nil, err
	}
	actions := map[string]ssa.Action{}
	for _, object := range prepared {
		entry, _, _, err := f.manager.Diff(ctx, object, ssa.DiffOptions{Exclusions: leaveAlone})
		if err != nil {
			return nil, err
		}
		actions[utils.FmtUnstructured(object)] = entry.Action
	}
	return actions, nil
}

func (f *flux) prune(ctx context.Context, objects []*unstructured.Unstructured) (map[string]ssa.Action, error) {
	changes, err := f.manager.DeleteAll(ctx, objects, ssa.DeleteOptions{
		PropagationPolicy: metav1.DeletePropagationBackground,
		Inclusions:        f.manager.GetOwnerLabels("connection-groups", "flux-system"),
		Exclusions:        doNotPrune,
	})
	if err != nil {
		return nil, err
	}
	return changes.ToMap(), nil
}

// checkFluxSync: objects before their definition; definition, namespaces and objects in one Kustomization; an upgrade of the definition; a change by another
// client; an object that Flux is told to leave alone.
func checkFluxSync(args []string) (string, error) {
	ctx := context.Background()
	_, api, err := connect()
	if err != nil {
		return "", err
	}
	objects, err := readObjects(args...)
	if err != nil {
		return "", err
	}
	f := &flux{ssa.NewResourceManager(api, polling.NewStatusPoller(api, api.RESTMapper(), polling.Options{}),
		ssa.Owner{Field: "kustomize-controller", Group: kustomize.GroupVersion.Group})}
	crd, groups, older := split(objects)
	if crd == nil || len(groups) == 0 {
		return "", fmt.Errorf("there must be a definition, and an object that leaves spec.suspend to its default: %v", args)
	}
	edge := groups[0]
	subject := utils.FmtUnstructured(edge)

	var faults faults
	step := func(what string, want ssa.Action, but map[string]ssa.Action, actions map[string]ssa.Action, err error) {
		if err != nil || len(actions) == 0 {
			faults.add("%s: %d actions, and %w", what, len(actions), err)
		}
		for name, action := range actions {
			expected, other := but[name]
			if !other {
				expected = want
			}
			if action != expected {
				faults.add("%s: %s is %s, expected is %s", what, name, action, expected)
			}
		}
	}
	apply := func(what string, objects []*unstructured.Unstructured, want ssa.Action, but map[string]ssa.Action) {
		actions, err := f.apply(ctx, objects)
		step(what, want, but, actions, err)
	}

	newer := edge.DeepCopy()
	if err := unstructured.SetNestedField(newer.Object, false, "spec", "suspend"); err != nil {
		return "", err
	}
	refused := func(what, why string, objects ...*unstructured.Unstructured) {
		if _, err := f.apply(ctx, objects); err == nil || !strings.Contains(err.Error(), why) {
			faults.add("%s: %w, expected is an error with %q", what, err, why)
		}
	}

	// The Kustomization of the groups does not wait for the operator's: its retries do.
	refused("objects before their definition", "no matches for kind", groups...)
	apply("the first sync", older, ssa.CreatedAction, nil)
	apply("the same again", older, ssa.UnchangedAction, nil)
	refused("a field that only the newer definition has", "field not declared in schema", newer)
	apply("a newer definition", []*unstructured.Unstructured{crd}, ssa.ConfiguredAction, nil)
	if err := until("the default of the field that is new", func() (bool, error) {
		live, err := get(ctx, api, edge)
		if err != nil || live == nil {
			return false, err
		}
		_, there, err := unstructured.NestedBool(live.Object, "spec", "suspend")
		return there, err
	}); err != nil {
		faults.add("%w", err)
		return "", faults.error()
	}
	apply("objects after the newer definition", groups, ssa.UnchangedAction, nil)
	if _, err := f.apply(ctx, objects); err != nil {
		return "", err
	}
	actions, err := f.diff(ctx, objects)
	step("drift without a change", ssa.UnchangedAction, nil, actions, err)

	if err := merge(ctx, api, edge, `{"spec":{"ipv6Enabled":false}}`); err != nil {
		return "", err
	}
	actions, err = f.diff(ctx, objects)
	step("drift after a change by another client", ssa.UnchangedAction, map[string]ssa.Action{subject: ssa.ConfiguredAction}, actions, err)
	apply("the correction of that change", objects, ssa.UnchangedAction, map[string]ssa.Action{subject: ssa.ConfiguredAction})

	// As the documents pause an object of Flux that a parent applies: a field that is not in Git stays, but not if kubectl says that it is kubectl's.
	for manager, stays := range map[string]bool{"kubectl-patch": false, "flux": true} {
		if err := mergeAs(ctx, api, edge, manager, `{"spec":{"anycastIpListId":"none"}}`); err != nil {
			return "", err
		}
		if _, err := f.apply(ctx, objects); err != nil {
			return "", err
		}
		live, err := get(ctx, api, edge)
		if err != nil {
			return "", err
		}
		if _, there, _ := unstructured.NestedString(live.Object, "spec", "anycastIpListId"); there != stays {
			faults.add("a field that is not in Git, set as %s, is still there: %t", manager, there)
		}
	}

	suspend := fmt.Sprintf(`{"metadata":{"annotations":{"%s/reconcile":"disabled"}},"spec":{"suspend":true}}`, kustomize.GroupVersion.Group)
	if err := merge(ctx, api, edge, suspend); err != nil {
		return "", err
	}
	skipped := map[string]ssa.Action{subject: ssa.SkippedAction}
	apply("an object that is suspended in both", objects, ssa.UnchangedAction, skipped)
	actions, err = f.prune(ctx, groups)
	step("the same object removed from Git", ssa.DeletedAction, skipped, actions, err)
	live, err := get(ctx, api, edge)
	if err != nil {
		return "", err
	}
	if suspended, _, _ := unstructured.NestedBool(live.Object, "spec", "suspend"); !suspended {
		faults.add("Flux resumed an object that it was told to leave alone")
	}
	if err := merge(ctx, api, edge, fmt.Sprintf(`{"metadata":{"annotations":{"%s/reconcile":null}}}`, kustomize.GroupVersion.Group)); err != nil {
		return "", err
	}
	apply("the same object resumed", []*unstructured.Unstructured{newer}, ssa.ConfiguredAction, nil)
	return fmt.Sprintf("%d objects", len(objects)), faults.error()
}

// split finds the definition and the objects that leave spec.suspend to its default, and returns everything as an older version of the operator had it,
// which did not know that field.
func split(objects []*unstructured.Unstructured) (crd *unstructured.Unstructured, groups, older []*unstructured.Unstructured) {
	for _, object := range objects {
		if utils.IsCRD(object) {
			crd = object
			object = object.DeepCopy()
			versions, _, _ := unstructured.NestedSlice(object.Object, "spec", "versions")
			schema, _, _ := unstructured.NestedFieldNoCopy(versions[0].(map[string]any), "schema", "openAPIV3Schema", "properties", "spec")
			withoutSuspend(schema.(map[string]any))
			_ = unstructured.SetNestedSlice(object.Object, versions, "spec", "versions")
		} else if object.GetKind() == "ConnectionGroup" {
			if _, sets, _ := unstructured.NestedBool(object.Object, "spec", "suspend"); sets {
				continue
			}
			groups = append(groups, object)
		}
		older = append(older, object)
	}
	return crd, groups, older
}

// withoutSuspend removes the field and the rules about it.
func withoutSuspend(schema map[string]any) {
	unstructured.RemoveNestedField(schema, "properties", "suspend")
	const rules = "x-kubernetes-validations"
	about, _, _ := unstructured.NestedSlice(schema, rules)
	schema[rules] = slices.DeleteFunc(about, func(rule any) bool {
		return strings.Contains(rule.(map[string]any)["rule"].(string), "self.suspend")
	})
}
