package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	helm "github.com/fluxcd/helm-controller/api/v2"
	kustomize "github.com/fluxcd/kustomize-controller/api/v1"
	source "github.com/fluxcd/source-controller/api/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	yamlstream "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// checkArgoCD: the ConfigMap for users holds health.lua, letter for letter.
func checkArgoCD(args []string) (string, error) {
	var config struct{ Data map[string]string }
	if err := readYAML(args[0], &config); err != nil {
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

// checkManifests: every document parses and names an object. Objects of Flux fit their Go types, without a field that Flux does not know.
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
			}
		}
	}
	return fmt.Sprintf("%d objects", count), faults.error()
}
