package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync/common"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync/ignore"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/utils/kube"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/utils/tracing"
	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

func annotated(object *unstructured.Unstructured, annotations map[string]string) *unstructured.Unstructured {
	object = object.DeepCopy()
	object.SetAnnotations(annotations)
	return object
}

// checkArgoCDSync: the first sync, comparisons, waves, and pruning.
func checkArgoCDSync(args []string) (string, error) {
	ctx := context.Background()
	config, api, err := connect()
	if err != nil {
		return "", err
	}
	script, err := os.ReadFile(args[0])
	if err != nil {
		return "", err
	}
	a := &argo{config, api, &kube.KubectlCmd{Log: logr.Discard(), Tracer: tracing.NopTracer{}}, healthScript(script)}
	objects, err := readObjects(args[2:]...)
	if err != nil {
		return "", err
	}
	edge := objects[len(objects)-1]
	if edge.GetKind() != "ConnectionGroup" {
		return "", fmt.Errorf("the last file must be an object: %v", args)
	}
	var faults faults
	check := func(what string, err error) {
		if err != nil {
			faults.add("%s: %w", what, err)
		}
	}

	check("a first sync", a.firstSync(ctx, objects))
	if faults != nil {
		return "", faults.error()
	}
	for _, object := range objects {
		if object.GetKind() == "Namespace" {
			continue // CreateNamespace=true creates them, and no Application contains them
		}
		if ignore.Ignore(object) {
			continue // what only `helm test` creates
		}
		// The shipped Applications apply on the server's side; groups may also be in another one.
		for _, apply := range []bool{true, false} {
			if object.GetKind() != "ConnectionGroup" && !apply {
				continue
			}
			o := &operation{targets: []*unstructured.Unstructured{object}, options: []sync.SyncOpt{sync.WithServerSideApply(apply)}}
			check("a sync", a.finish(ctx, o))
			found, err := a.differs(ctx, object)
			check("the comparison", err)
			if len(found) > 0 {
				faults.add("%s %s is out of sync right after a sync (server-side apply: %t): %v", object.GetKind(), object.GetName(), apply, found)
			}
		}
	}
	edited := edge.DeepCopy()
	check("an edit", unstructured.SetNestedField(edited.Object, false, "spec", "enabled"))
	if found, err := a.differs(ctx, edited); len(found) != 3 || err != nil {
		faults.add("a change in Git is seen only by %v (%w)", found, err)
	}
	check("a pause", a.pause(ctx, edge))
	check("waves", a.waves(ctx, edge, args[1]))
	check("confirmation", a.confirmation(ctx, edge))
	check("pruning", a.pruning(ctx, edge))
	return fmt.Sprintf("%d objects", len(objects)), faults.error()
}

// firstSync: the groups' Application fails, and changes nothing, until the operator's has brought the definition; a retry then succeeds.
func (a *argo) firstSync(ctx context.Context, objects []*unstructured.Unstructured) error {
	var groups, rest []*unstructured.Unstructured
	for _, object := range objects {
		if object.GetKind() == "ConnectionGroup" {
			groups = append(groups, object)
		} else {
			rest = append(rest, object)
		}
	}
	skip := []sync.SyncOpt{sync.WithSkipDryRunOnMissingResource(true)}
	early := &operation{targets: groups, options: skip}
	if err := a.pass(ctx, early); err != nil {
		return err
	}
	if early.phase != common.OperationFailed {
		return fmt.Errorf("before the definition is there, it is %s: %s", early.phase, early.message)
	}
	if err := a.finish(ctx, &operation{targets: rest}); err != nil {
		return err
	}
	return a.finish(ctx, &operation{targets: groups, options: skip})
}

// pause: the annotation with which the documents pause an Application is not in Git. What applies the object does not see a difference, and leaves it.
func (a *argo) pause(ctx context.Context, object *unstructured.Unstructured) error {
	const annotation = "argocd.argoproj.io/skip-reconcile"
	if err := merge(ctx, a.api, object, `{"metadata":{"annotations":{"`+annotation+`":"true"}}}`); err != nil {
		return err
	}
	if found, err := a.differs(ctx, object); len(found) > 0 || err != nil {
		return fmt.Errorf("it is a difference for %v (%w)", found, err)
	}
	for _, apply := range []bool{true, false} {
		o := &operation{targets: []*unstructured.Unstructured{object}, options: []sync.SyncOpt{sync.WithServerSideApply(apply)}}
		if err := a.finish(ctx, o); err != nil {
			return err
		}
		live, err := get(ctx, a.api, object)
		if err != nil {
			return err
		}
		if live.GetAnnotations()[annotation] != "true" {
			return fmt.Errorf("a sync removes it (server-side apply: %t)", apply)
		}
	}
	return nil
}

// waves: a later wave waits until the group is rolled out, and also while its object is suspended.
func (a *argo) waves(ctx context.Context, edge *unstructured.Unstructured, states string) error {
	next := annotated(simple("ConfigMap", edge.GetNamespace(), "needs-the-endpoint"), map[string]string{waveAnnotation: "1"})
	suspended := edge.DeepCopy()
	if err := unstructured.SetNestedField(suspended.Object, true, "spec", "suspend"); err != nil {
		return err
	}
	for _, step := range []struct {
		object *unstructured.Unstructured
		state  string
		waits  bool
	}{{edge, "deploying", true}, {suspended, "deployed", true}, {edge, "deployed", false}} {
		o := &operation{targets: []*unstructured.Unstructured{step.object, next}}
		if err := a.pass(ctx, o); err != nil {
			return err
		}
		if err := a.setStatus(ctx, edge, filepath.Join(states, step.state+".json")); err != nil {
			return err
		}
		if !step.waits {
			return a.finish(ctx, o)
		}
		if err := a.waits(ctx, o); err != nil {
			return fmt.Errorf("%s, suspended %t: %w", step.state, step.object == suspended, err)
		}
		if live, err := get(ctx, a.api, next); live != nil || err != nil {
			return fmt.Errorf("the second wave did not wait (%w)", err)
		}
	}
	return nil
}

// setStatus gives the object the status of a situation, as observed for its newest generation.
func (a *argo) setStatus(ctx context.Context, object *unstructured.Unstructured, file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var situation struct {
		Status map[string]any `json:"status"`
	}
	if err := yaml.Unmarshal(text, &situation); err != nil {
		return err
	}
	live, err := get(ctx, a.api, object)
	if err != nil {
		return err
	}
	situation.Status["observedGeneration"] = live.GetGeneration()
	patch, err := json.Marshal(map[string]any{"status": situation.Status})
	if err != nil {
		return err
	}
	return a.api.Status().Patch(ctx, object.DeepCopy(), client.RawPatch("application/merge-patch+json", patch))
}

// confirmation: with Prune=confirm the whole sync waits, with Prune=false the object stays and the rest is applied.
func (a *argo) confirmation(ctx context.Context, edge *unstructured.Unstructured) error {
	other := simple("ConfigMap", edge.GetNamespace(), "applied-beside")
	managed := []*unstructured.Unstructured{edge}
	confirm, never := common.SyncValueConfirm, common.SyncValueFalse
	waiting := &operation{targets: []*unstructured.Unstructured{other}, managed: managed, options: []sync.SyncOpt{sync.WithDefaultPruneOption(&confirm)}}
	if err := a.waits(ctx, waiting); err != nil {
		return err
	}
	if live, err := get(ctx, a.api, other); live != nil || err != nil {
		return fmt.Errorf("Prune=confirm lets the rest of the sync through (%w)", err)
	}
	kept := &operation{targets: []*unstructured.Unstructured{other}, managed: managed, options: []sync.SyncOpt{sync.WithDefaultPruneOption(&never)}}
	if err := a.finish(ctx, kept); err != nil {
		return err
	}
	for _, object := range []*unstructured.Unstructured{edge, other} {
		if live, err := get(ctx, a.api, object); live == nil || live.GetDeletionTimestamp() != nil || err != nil {
			return fmt.Errorf("with Prune=false, %s is gone (%w)", object.GetName(), err)
		}
	}
	return nil
}

// pruning: the later wave first, and the earlier one only when that is gone. So the operator outlives the objects.
func (a *argo) pruning(ctx context.Context, edge *unstructured.Unstructured) error {
	operator := simple("ConfigMap", edge.GetNamespace(), "stands-for-the-operator")
	group := annotated(edge, map[string]string{waveAnnotation: "1"})
	both := []*unstructured.Unstructured{operator, group}
	if err := a.finish(ctx, &operation{targets: both}); err != nil {
		return err
	}
	if err := merge(ctx, a.api, edge, `{"metadata":{"finalizers":["cloudfront.kube-operators.dev/prod-eu"]}}`); err != nil {
		return err
	}
	o := &operation{managed: both}
	if err := a.waits(ctx, o); err != nil {
		return err
	}
	for _, object := range both {
		live, err := get(ctx, a.api, object)
		if live == nil || err != nil {
			return fmt.Errorf("%s is gone too early (%w)", object.GetName(), err)
		}
		if deleted := live.GetDeletionTimestamp() != nil; deleted != (object == group) {
			return fmt.Errorf("%s is deleted: %t", object.GetName(), deleted)
		}
	}
	if err := merge(ctx, a.api, edge, `{"metadata":{"finalizers":null}}`); err != nil {
		return err
	}
	if err := a.finish(ctx, o); err != nil {
		return err
	}
	live, err := get(ctx, a.api, operator)
	if err != nil {
		return err
	}
	// Argo CD deletes in the foreground, which ends only with a garbage collector, and none runs here.
	if live != nil && live.GetDeletionTimestamp() == nil {
		return errors.New("the first wave was not deleted")
	}
	return nil
}
