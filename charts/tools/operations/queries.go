package main

import (
	"fmt"
	"os"
	"slices"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// Labels that come from whoever scrapes.
var targetLabels = []string{"cluster", "namespace", "job", "instance", "pod", "container", "endpoint", "service"}

// A scrape: for each metric, its labels with the values they have.
type scrape map[string]map[string][]string

func readScrape(path string) (scrape, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text := expfmt.NewTextParser(model.UTF8Validation)
	families, err := text.TextToMetricFamilies(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	found := scrape{}
	for name, family := range families {
		names := []string{name}
		if family.GetType() == dto.MetricType_HISTOGRAM {
			names = []string{name + "_bucket", name + "_sum", name + "_count"}
		}
		for _, name := range names {
			found[name] = map[string][]string{}
			for _, metric := range family.Metric {
				for _, label := range metric.Label {
					found[name][label.GetName()] = append(found[name][label.GetName()], label.GetValue())
				}
			}
		}
	}
	return found, nil
}

// checkQuery: the query parses, and what it selects by is there to be selected. A query that can never find anything is an alert that never fires.
func (s scrape) checkQuery(query string) error {
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	if err != nil {
		return fmt.Errorf("%s: %w", query, err)
	}
	var faults faults
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		selector, is := node.(*parser.VectorSelector)
		if !is {
			return nil
		}
		known, served := s[selector.Name]
		if !served {
			faults.add("/metrics has no %s", selector.Name)
			return nil
		}
		for _, matcher := range selector.LabelMatchers {
			values, has := known[matcher.Name]
			switch {
			case matcher.Name == labels.MetricName || slices.Contains(targetLabels, matcher.Name) && !has:
			case !has:
				faults.add("%s has no label %s", selector.Name, matcher.Name)
			case matcher.Type == labels.MatchEqual && !slices.Contains(values, matcher.Value):
				faults.add("%s never has %s=%q", selector.Name, matcher.Name, matcher.Value)
			default:
				for _, value := range named(matcher) {
					if !s.everHas(matcher.Name, value) {
						faults.add("%s is selected by %s, but no metric ever has %s=%q", selector.Name, matcher, matcher.Name, value)
					}
				}
			}
		}
		return nil
	})
	return faults.error()
}

// named: the values that a matcher names one by one, to select them or to leave them out. A name that nothing has is a mistake in either case.
func named(matcher *labels.Matcher) []string {
	if matcher.Type == labels.MatchNotEqual {
		return []string{matcher.Value}
	}
	return matcher.SetMatches()
}

// everHas: whether some metric has this label with this value. What a query leaves out, or waits for, need not have happened to the metric that it asks for.
func (s scrape) everHas(label, value string) bool {
	for _, known := range s {
		if slices.Contains(known[label], value) {
			return true
		}
	}
	return false
}
