package main

import (
	"context"
	"fmt"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/diff"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/health"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync/common"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/utils/kube"
	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	argoManager    = "argocd-controller"
	waveAnnotation = common.AnnotationSyncWave
)

// argo syncs with the options that argo-cd sets for an Application like the shipped one (controller/sync.go there).
type argo struct {
	config  *rest.Config
	api     client.Client
	kubectl *kube.KubectlCmd
	script  healthScript
}

// healthScript is health.lua as Argo CD uses it: for objects of its kind only.
type healthScript string

func (s healthScript) GetResourceHealth(object *unstructured.Unstructured) (*health.HealthStatus, error) {
	if object.GetKind() != "ConnectionGroup" {
		return nil, nil
	}
	text, err := object.MarshalJSON()
	if err != nil {
		return nil, err
	}
	return runHealthScript(text, string(s))
}

// operation is a sync in progress. `managed` are objects that Argo CD applied before; those that are not wanted any more are pruned.
type operation struct {
	targets, managed []*unstructured.Unstructured
	options          []sync.SyncOpt
	phase            common.OperationPhase
	message          string
	results          []common.ResourceSyncResult
	started          metav1.Time
}

// pass does what Argo CD does each time it looks at an operation: it reads the live objects and executes the next step.
func (a *argo) pass(ctx context.Context, o *operation) error {
	var reconciled sync.ReconciliationResult
	wanted := map[kube.ResourceKey]bool{}
	for _, target := range o.targets {
		live, err := get(ctx, a.api, target)
		if err != nil {
			live = nil // the kind is not known yet
		}
		wanted[kube.GetResourceKey(target)] = true
		reconciled.Target = append(reconciled.Target, target)
		reconciled.Live = append(reconciled.Live, live)
	}
	for _, object := range o.managed {
		live, err := get(ctx, a.api, object)
		if err != nil {
			return err
		}
		if live != nil && !wanted[kube.GetResourceKey(object)] {
			reconciled.Target = append(reconciled.Target, nil)
			reconciled.Live = append(reconciled.Live, live)
		}
	}
	if o.started.IsZero() {
		o.started = metav1.Now()
		o.phase = common.OperationRunning
	}
	options := append([]sync.SyncOpt{
		sync.WithLogr(logr.Discard()),
		sync.WithHealthOverride(a.script),
		sync.WithOperationSettings(false, true, false, false),
		sync.WithManifestValidation(true),
		sync.WithServerSideApply(true),
		sync.WithServerSideApplyManager(argoManager),
		sync.WithInitialState(o.phase, o.message, o.results, o.started),
	}, o.options...)
	step, cleanup, err := sync.NewSyncContext("revision", reconciled, a.config, a.config, a.kubectl, "default", options...)
	if err != nil {
		return err
	}
	defer cleanup()
	step.Sync()
	o.phase, o.message, o.results = step.GetState()
	return nil
}

// finish passes until the operation is over.
func (a *argo) finish(ctx context.Context, o *operation) error {
	err := until("the end of a sync", func() (bool, error) {
		if err := a.pass(ctx, o); err != nil {
			return false, err
		}
		return o.phase.Completed(), nil
	})
	if err != nil || o.phase != common.OperationSucceeded {
		return fmt.Errorf("the sync is %s: %s %v (%w)", o.phase, o.message, o.results, err)
	}
	return nil
}

// waits passes several times: the operation must still wait.
func (a *argo) waits(ctx context.Context, o *operation) error {
	for range 3 {
		if err := a.pass(ctx, o); err != nil {
			return err
		}
	}
	if o.phase != common.OperationRunning {
		return fmt.Errorf("the sync does not wait, it is %s: %s", o.phase, o.message)
	}
	return nil
}

// differs: which of Argo CD's ways to compare find a difference between Git and the cluster.
func (a *argo) differs(ctx context.Context, target *unstructured.Unstructured) ([]string, error) {
	live, err := get(ctx, a.api, target)
	if err != nil || live == nil {
		return nil, fmt.Errorf("%s is not there: %w", target.GetName(), err)
	}
	_, parser, err := a.kubectl.LoadOpenAPISchema(a.config)
	if err != nil {
		return nil, err
	}
	dryRuns, cleanup, err := a.kubectl.ManageServerSideDiffDryRuns(a.config)
	if err != nil {
		return nil, err
	}
	defer cleanup()
	ways := map[string][]diff.Option{
		"client-side diff":      nil,
		"structured merge diff": {diff.WithStructuredMergeDiff(true), diff.WithGVKParser(parser), diff.WithManager(argoManager)},
		"server-side diff": {diff.WithServerSideDiff(true), diff.WithServerSideDryRunner(diff.NewK8sServerSideDryRunner(dryRuns)),
			diff.WithGVKParser(parser), diff.WithManager(argoManager)},
	}
	var found []string
	for way, options := range ways {
		result, err := diff.Diff(target, live, append(options, diff.WithLogr(logr.Discard()))...)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", way, err)
		}
		if result.Modified {
			found = append(found, way)
		}
	}
	return found, nil
}
