package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/fluxcd/pkg/ssa/utils"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const patience = time.Minute

// connect: the cluster that KUBECONFIG names, and nothing else.
func connect() (*rest.Config, client.Client, error) {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return nil, nil, err
	}
	config.QPS, config.Burst = 100, 100
	api, err := client.New(config, client.Options{})
	return config, api, err
}

// readObjects reads objects, and puts the Namespace of each namespaced object in front of them.
func readObjects(files ...string) ([]*unstructured.Unstructured, error) {
	var namespaces, objects []*unstructured.Unstructured
	seen := map[string]bool{"": true, metav1.NamespaceSystem: true}
	for _, path := range files {
		file, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		read, err := utils.ReadObjects(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		for _, object := range read {
			if name := object.GetNamespace(); !seen[name] {
				seen[name] = true
				namespaces = append(namespaces, simple("Namespace", "", name))
			}
			objects = append(objects, object)
		}
	}
	return append(namespaces, objects...), nil
}

// simple is an object of the core API without a spec.
func simple(kind, namespace, name string) *unstructured.Unstructured {
	object := &unstructured.Unstructured{}
	object.SetAPIVersion("v1")
	object.SetKind(kind)
	object.SetNamespace(namespace)
	object.SetName(name)
	return object
}

// get reads an object; nil if there is none.
func get(ctx context.Context, api client.Client, object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	live := &unstructured.Unstructured{}
	live.SetGroupVersionKind(object.GroupVersionKind())
	err := api.Get(ctx, client.ObjectKeyFromObject(object), live)
	if client.IgnoreNotFound(err) != nil {
		return nil, err
	}
	if err != nil {
		return nil, nil
	}
	return live, nil
}

// merge changes a live object as kubectl does.
func merge(ctx context.Context, api client.Client, object *unstructured.Unstructured, change string) error {
	return mergeAs(ctx, api, object, "kubectl-edit", change)
}

// mergeAs changes a live object as another client does.
func mergeAs(ctx context.Context, api client.Client, object *unstructured.Unstructured, manager, change string) error {
	patch := client.RawPatch("application/merge-patch+json", []byte(change))
	return api.Patch(ctx, object.DeepCopy(), patch, client.FieldOwner(manager))
}

// until waits for a condition.
func until(what string, met func() (bool, error)) error {
	deadline := time.Now().Add(patience)
	for {
		done, err := met()
		if done {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: not within %s (%v)", what, patience, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}
