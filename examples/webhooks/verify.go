// Verifies a Fovea webhook (Standard Webhooks) with Go's standard library.
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// Event has the common fields of all webhooks; Data has further ones.
type Event struct {
	Type string `json:"type"`
	Data struct {
		JobID string `json:"job_id"`
		State string `json:"state"`
	} `json:"data"`
}

// Verify fails if no signature is valid or the timestamp is off by more than five minutes.
func Verify(secret string, headers http.Header, body []byte) (*Event, error) {
	id, timestamp := headers.Get("webhook-id"), headers.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || math.Abs(float64(time.Now().Unix()-seconds)) > 300 {
		return nil, errors.New("timestamp is too old or too new")
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", id, timestamp, body)
	expected := mac.Sum(nil)
	for _, entry := range strings.Fields(headers.Get("webhook-signature")) {
		given, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(entry, "v1,"))
		if err == nil && strings.HasPrefix(entry, "v1,") && hmac.Equal(given, expected) {
			event := new(Event)
			return event, json.Unmarshal(body, event)
		}
	}
	return nil, errors.New("no valid signature")
}

// A CGI program: headers in the environment, the unchanged body on standard input.
func main() {
	headers := http.Header{}
	for _, name := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
		headers.Set(name, os.Getenv("HTTP_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_"))))
	}
	body, _ := io.ReadAll(os.Stdin)
	event, err := Verify(os.Getenv("WEBHOOK_SECRET"), headers, body)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(event.Data.JobID)
}
