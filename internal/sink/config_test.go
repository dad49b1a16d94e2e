package sink

import (
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

func TestCheck(t *testing.T) {
	for text, want := range map[string]string{
		"[{name: a, file: {path: /tmp/a}}]": "",
		"[{name: a, from: now, records: 5, bytes: 100, gather_milliseconds: 5, file: {path: /tmp/a, mode: \"0640\", rotate_bytes: -1}}]": "",
		"[{name: a, webhook: {url: https://h/x, secret: env:S, headers: {Authorization: env:A}, format: lines, compress: true}}]":        "",
		"[{name: a, otlp: {url: http://localhost:4318/v1/logs, resource: {deployment.environment: test}}}]":                              "",
		"[{name: a, kafka: {brokers: ['k:9093'], topic: audit, sasl: plain, user: u, password: env:P, compression: zstd}}]":              "",
		"[{name: a, kafka: {brokers: ['127.0.0.1:9092'], topic: audit, plaintext: true}}]":                                               "",

		"[{name: a}]": "want one of file, webhook, otlp and kafka",
		"[{name: a, file: {path: /tmp/a}, otlp: {url: https://h/}}]":                           "want one of",
		"[{name: a, file: {path: /a}}, {name: a, file: {path: /b}}]":                           "two have the name a",
		"[{name: ../a, file: {path: /a}}]":                                                     "name \"../a\"",
		"[{name: A, file: {path: /a}}]":                                                        "name \"A\"",
		"[{name: a, from: then, file: {path: /a}}]":                                            "from \"then\"",
		"[{name: a, records: 10001, file: {path: /a}}]":                                        "records 10001",
		"[{name: a, bytes: -1, file: {path: /a}}]":                                             "bytes -1",
		"[{name: a, gather_milliseconds: 60001, file: {path: /a}}]":                            "gather_milliseconds",
		"[{name: a, file: {path: a}}]":                                                         "absolute path",
		"[{name: a, file: {path: /a, mode: \"0777\"}}]":                                        "file.mode",
		"[{name: a, file: {path: /a, mode: \"0040\"}}]":                                        "file.mode",
		"[{name: a, file: {path: /a, mode: rw}}]":                                              "file.mode",
		"[{name: a, file: {path: /a, keep: -1}}]":                                              "file.keep",
		"[{name: a, file: {path: /a, rotate_bytes: -2}}]":                                      "file.rotate_bytes",
		"[{name: a, webhook: {url: http://h/x}}]":                                              "webhook.url: want https",
		"[{name: a, webhook: {url: 'https://u:p@h/x'}}]":                                       "webhook.url",
		"[{name: a, webhook: {url: https://h/x, format: xml}}]":                                "webhook.format",
		"[{name: a, webhook: {url: https://h/x, timeout_seconds: 601}}]":                       "webhook.timeout_seconds",
		"[{name: a, webhook: {url: https://h/x, headers: {Host: env:H}}}]":                     "webhook.headers",
		"[{name: a, webhook: {url: https://h/x, headers: {\"A\\nB\": x}}}]":                    "webhook.headers",
		"[{name: a, webhook: {url: https://h/x, client_key_file: k}}]":                         "go together",
		"[{name: a, webhook: {url: https://h/, headers: {lakegate-signature: env:H}}}]":        "webhook.headers",
		"[{name: a, otlp: {url: ftp://h}}]":                                                    "otlp.url",
		"[{name: a, kafka: {topic: t}}]":                                                       "kafka.brokers",
		"[{name: a, kafka: {brokers: [k], topic: t}}]":                                         "kafka.brokers",
		"[{name: a, kafka: {brokers: ['k:1']}}]":                                               "kafka.topic",
		"[{name: a, kafka: {brokers: ['k:1'], topic: 'a b'}}]":                                 "kafka.topic",
		"[{name: a, kafka: {brokers: ['k:1'], topic: '..'}}]":                                  "kafka.topic",
		"[{name: a, kafka: {brokers: ['10.0.0.1:1'], topic: t, plaintext: true}}]":             "not on loopback",
		"[{name: a, kafka: {brokers: ['k:1'], topic: t, sasl: gssapi, user: u, password: p}}]": "kafka.sasl",
		"[{name: a, kafka: {brokers: ['k:1'], topic: t, sasl: plain, user: u}}]":               "go together",
		"[{name: a, kafka: {brokers: ['k:1'], topic: t, compression: brotli}}]":                "kafka.compression",
		"[{name: a, kafka: {brokers: ['k:1'], topic: t, client_key_file: k}}]":                 "go together",
		"[{name: a, kafka: {brokers: ['[::1]:1'], topic: t, plaintext: true, ca_file: c}}]":    "certificates for TLS",
		"[{name: a, kafka: {brokers: ['k:1'], topic: t, max_record_bytes: -1}}]":               "kafka.max_record_bytes",
		"[{name: a, kafka: {brokers: ['k:1'], topic: t, timeout_seconds: -1}}]":                "kafka.timeout_seconds",
	} {
		var all []Config
		if err := yaml.NewDecoder(strings.NewReader(text), yaml.Strict()).Decode(&all); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		err := Check(all)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
		if err != nil && !strings.HasPrefix(err.Error(), "audit.sinks: ") {
			t.Errorf("%s: %v does not say which setting", text, err)
		}
	}
}

// TestOpenRefuses what shows only when the settings are followed.
func TestOpenRefuses(t *testing.T) {
	b := newBench(t)
	b.refer["env:SHORT"], b.refer["env:SPLIT"] = "secret", "Bearer x\r\nHost: elsewhere"
	for name, c := range map[string]Config{
		"a secret that is not there":      {Webhook: &Webhook{HTTP: HTTP{URL: "https://h/"}, Secret: "env:NONE"}},
		"a secret that is too short":      {Webhook: &Webhook{HTTP: HTTP{URL: "https://h/"}, Secret: "env:SHORT"}},
		"a header with two lines":         {OTLP: &OTLP{HTTP: HTTP{URL: "https://h/", Headers: map[string]string{"Authorization": "env:SPLIT"}}}},
		"a header that is no reference":   {OTLP: &OTLP{HTTP: HTTP{URL: "https://h/", Headers: map[string]string{"Authorization": "Bearer x"}}}},
		"certificates that are not there": {Webhook: &Webhook{HTTP: HTTP{URL: "https://h/", CAFile: b.dir + "/none"}}},
		"certificates that are none":      {Webhook: &Webhook{HTTP: HTTP{URL: "https://h/", CAFile: "config_test.go"}}},
		"a folder that is not there":      {File: &File{Path: b.dir + "/none/audit.jsonl"}},
		"a folder in place of a file":     {File: &File{Path: b.dir}},
		"a file in the log's own folder":  {File: &File{Path: b.cfg.Dir + "/mine.jsonl"}},
		"a file in a folder of the log":   {File: &File{Path: b.cfg.Dir + "/../audit/000000000001.jsonl"}},
		"somebody else's file":            {File: &File{Path: mustAbs(t, "testdata/foreign")}},
	} {
		c.Name = "a"
		s, err := Open([]Config{c}, b.env())
		if err == nil {
			_ = s.Close()
			t.Errorf("%s: opened", name)
		} else if strings.Contains(err.Error(), "Bearer") {
			t.Errorf("%s: the error tells the secret: %v", name, err)
		}
	}
}
