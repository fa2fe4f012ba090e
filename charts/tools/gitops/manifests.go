package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync/common"
	"github.com/argoproj/argo-cd/gitops-engine/pkg/sync/resource"
	helm "github.com/fluxcd/helm-controller/api/v2"
	kustomize "github.com/fluxcd/kustomize-controller/api/v1"
	source "github.com/fluxcd/source-controller/api/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	yamlstream "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// checkArgoCD: the ConfigMap for users holds health.lua, letter for letter.
func checkArgoCD(args []string) (string, error) {
	var config struct{ Data map[string]string }
	text, err := os.ReadFile(args[0])
	if err != nil {
		return "", err
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		return "", err
	}
	script, err := os.ReadFile(args[1])
	if err != nil {
		return "", err
	}
	const key = "resource.customizations.health.cloudfront.kube-operators.dev_ConnectionGroup"
	if config.Data[key] != string(script) {
		return "", fmt.Errorf("%s of %s differs from %s", key, args[0], args[1])
	}
	return "the same script", nil
}

// checkManifests: every document parses and names an object. Objects of Flux fit their Go types, without a field that Flux does not know. Nothing deletes the
// objects or the operator unless a person deletes them.
func checkManifests(args []string) (string, error) {
	flux := map[metav1.TypeMeta]any{}
	for kind, object := range map[schema.GroupVersionKind]any{
		helm.GroupVersion.WithKind(helm.HelmReleaseKind):             &helm.HelmRelease{},
		kustomize.GroupVersion.WithKind(kustomize.KustomizationKind): &kustomize.Kustomization{},
		source.GroupVersion.WithKind(source.GitRepositoryKind):       &source.GitRepository{},
	} {
		apiVersion, name := kind.ToAPIVersionAndKind()
		flux[metav1.TypeMeta{APIVersion: apiVersion, Kind: name}] = object
	}
	var faults faults
	count := 0
	for _, path := range args {
		file, err := os.Open(path)
		if err != nil {
			return "", err
		}
		defer file.Close()
		documents := yamlstream.NewYAMLReader(bufio.NewReader(file))
		for {
			document, err := documents.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return "", fmt.Errorf("%s: %w", path, err)
			}
			var object metav1.PartialObjectMetadata
			if err := yaml.Unmarshal(document, &object); err != nil {
				return "", fmt.Errorf("%s: %w", path, err)
			}
			count++
			if object.Kind == "Application" {
				if err := keepsItsObjects(document); err != nil {
					faults.add("%s: %s: %w", path, object.Name, err)
				}
			}
			if object.APIVersion == "" || object.Kind == "" || object.Name == "" {
				faults.add("%s: a document without apiVersion, kind or name", path)
			}
			if !strings.Contains(object.APIVersion, ".toolkit.fluxcd.io/") {
				continue
			}
			if into, known := flux[object.TypeMeta]; !known {
				faults.add("%s: Flux has no %s %s", path, object.APIVersion, object.Kind)
			} else if err := yaml.UnmarshalStrict(document, into); err != nil {
				faults.add("%s: %s %s: %w", path, object.Kind, object.Name, err)
			} else if k, is := into.(*kustomize.Kustomization); is {
				if deletesItsObjects(k) {
					faults.add("%s: Kustomization %s deletes its objects when it is deleted", path, object.Name)
				}
				if len(k.Spec.DependsOn) > 0 {
					faults.add("%s: Kustomization %s applies no change of Git while one that it depends on is not ready", path, object.Name)
				}
			}
		}
	}
	return fmt.Sprintf("%d objects", count), faults.error()
}

// deletesItsObjects is finalizerShouldDeleteResources of kustomize-controller (internal/controller/kustomization_controller.go there).
func deletesItsObjects(k *kustomize.Kustomization) bool {
	switch k.GetDeletionPolicy() {
	case kustomize.DeletionPolicyMirrorPrune:
		return k.Spec.Prune
	case kustomize.DeletionPolicyDelete, kustomize.DeletionPolicyWaitForTermination:
		return true
	default:
		return false
	}
}

// keepsItsObjects: an Application has no finalizer that deletes its objects with it; one that prunes groups also keeps them if such a finalizer is added, in
// versions of Argo CD that know the option for a whole Application. For older ones, checkArgoCDGroups is there.
func keepsItsObjects(document []byte) error {
	var application struct {
		Metadata metav1.ObjectMeta
		Spec     struct {
			SyncPolicy struct {
				Automated   struct{ Prune bool }
				SyncOptions []string
			}
		}
	}
	if err := yaml.Unmarshal(document, &application); err != nil {
		return err
	}
	policy := application.Spec.SyncPolicy
	if len(application.Metadata.Finalizers) > 0 {
		return fmt.Errorf("it has finalizers %v", application.Metadata.Finalizers)
	}
	if policy.Automated.Prune && !slices.Contains(policy.SyncOptions, "Delete=false") {
		return errors.New("it prunes and lacks the sync option Delete=false")
	}
	return nil
}

// checkArgoCDGroups: the kustomization.yaml for the folder of the groups annotates each object, so that every version of Argo CD keeps it when the Application
// is deleted (shouldBeDeleted in controller/appcontroller.go there).
func checkArgoCDGroups(args []string) (string, error) {
	const folder = "connection-groups"
	files := filesys.MakeFsInMemory()
	for path, name := range map[string]string{args[0]: "kustomization.yaml", args[1]: "edge.yaml"} {
		text, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		if err := files.WriteFile(filepath.Join(folder, name), text); err != nil {
			return "", err
		}
	}
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(files, folder)
	if err != nil {
		return "", err
	}
	var faults faults
	for _, built := range built.Resources() {
		text, err := built.AsYAML()
		if err != nil {
			return "", err
		}
		var object metav1.PartialObjectMetadata
		if err := yaml.Unmarshal(text, &object); err != nil {
			return "", err
		}
		if !resource.HasAnnotationOption(&object, common.AnnotationSyncOptions, common.SyncOptionDelete+"="+common.SyncValueFalse) {
			faults.add("%s: Argo CD deletes %s %s with its Application", args[0], object.Kind, object.Name)
		}
	}
	return fmt.Sprintf("%d objects", built.Size()), faults.error()
}
