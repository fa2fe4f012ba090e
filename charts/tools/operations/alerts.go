package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"

	"sigs.k8s.io/yaml"
)

type ruleFile struct {
	Groups []struct {
		Rules []struct {
			Alert       string
			Expr        string
			Labels      map[string]string
			Annotations map[string]string
		}
	}
}

// The part of a promtool test file that tells which alerts are tested.
type testFile struct {
	Tests []struct {
		AlertRuleTest []struct {
			Alertname string
			ExpAlerts []any `json:"exp_alerts"`
		} `json:"alert_rule_test"`
	}
}

// checkAlerts: each alert says what a person needs, has a section in the runbook, a test in which it fires and one in which it does not, and asks
// only for metrics that exist. Each alert's section of the runbook is about an alert that exists.
func checkAlerts(args []string) (string, error) {
	var rules ruleFile
	var tests testFile
	if err := readYAML(args[0], &rules); err != nil {
		return "", err
	}
	if err := readYAML(args[1], &tests); err != nil {
		return "", err
	}
	runbook, err := os.ReadFile(args[2])
	if err != nil {
		return "", err
	}
	metrics, err := readScrape(args[3])
	if err != nil {
		return "", err
	}
	sections := map[string]string{}
	for _, section := range regexp.MustCompile(`(?m)^#+ (ConnectionGroup\w+)$`).FindAllStringSubmatch(string(runbook), -1) {
		sections[strings.ToLower(section[1])] = section[1]
	}
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, test := range tests.Tests {
		for _, expectation := range test.AlertRuleTest {
			outcome := silent
			if len(expectation.ExpAlerts) > 0 {
				outcome = fires
			}
			outcome[expectation.Alertname] = true
		}
	}

	var faults faults
	count := 0
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			count++
			if !regexp.MustCompile(`^ConnectionGroup([A-Z][A-Za-z]*)$`).MatchString(rule.Alert) {
				faults.add("%s: the name must be ConnectionGroup... in PascalCase", rule.Alert)
			}
			if !map[string]bool{"critical": true, "warning": true, "info": true}[rule.Labels["severity"]] {
				faults.add("%s: severity is %q", rule.Alert, rule.Labels["severity"])
			}
			for _, annotation := range []string{"summary", "description", "runbook_url"} {
				if rule.Annotations[annotation] == "" {
					faults.add("%s: has no %s", rule.Alert, annotation)
				}
			}
			_, anchor, _ := strings.Cut(rule.Annotations["runbook_url"], "#")
			if sections[anchor] != rule.Alert {
				faults.add("%s: the runbook has no section #%s", rule.Alert, anchor)
			}
			delete(sections, anchor)
			if !fires[rule.Alert] {
				faults.add("%s: in no test does it fire", rule.Alert)
			}
			if !silent[rule.Alert] {
				faults.add("%s: in no test is it silent", rule.Alert)
			}
			if err := metrics.checkQuery(rule.Expr); err != nil {
				faults.add("%s: %w", rule.Alert, err)
			}
		}
	}
	for _, section := range sections {
		faults.add("the runbook has a section on %s, which is no alert", section)
	}
	if count == 0 {
		faults.add("%s has no alerts", args[0])
	}
	return fmt.Sprintf("%d alerts", count), faults.error()
}

func readYAML(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
