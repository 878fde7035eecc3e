// The benchmark's ReverseProxy in Go: reverse-proxy LISTEN-PORT UPSTREAM-PORT, both on 127.0.0.1.
//
// It handles a request as the original of this proxy did: it reads the body to its end, looks for
// the top-level "model" with encoding/json's tokens, and forwards the bytes. It has one server, and
// prints nothing while all is well. bun run bench builds it (launches.ts).
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
)

// The same number of idle connections as nginx, Caddy and HAProxy keep here.
const idleConnections = 128

func main() {
	if len(os.Args) != 3 {
		log.Fatal("Use: reverse-proxy LISTEN-PORT UPSTREAM-PORT")
	}
	upstream := &url.URL{Scheme: "http", Host: "127.0.0.1:" + os.Args[2]}
	proxy := httputil.NewSingleHostReverseProxy(upstream)
	proxy.FlushInterval = -1 // forwards every piece at once
	proxy.Transport = &http.Transport{
		MaxIdleConnsPerHost: idleConnections,
		DisableCompression:  true, // otherwise it asks the server for gzip, and unpacks it
	}
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, err error) {
		if !errors.Is(err, context.Canceled) { // otherwise the client has hung up
			log.Print(err)
		}
		w.WriteHeader(http.StatusBadGateway)
	}
	handler := func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 { // -1: the length is unknown
			if err := readModel(r); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
		}
		proxy.ServeHTTP(w, r)
	}
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], http.HandlerFunc(handler)))
}

// readModel reads the body, and replaces it by its bytes. It fails if they name no model.
func readModel(r *http.Request) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if _, err := modelOf(body); err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength = int64(len(body))
	return nil
}

// modelOf walks the tokens of a JSON object up to the value of its own "model".
func modelOf(body []byte) (string, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return "", errors.New("the body is not a JSON object")
	}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			return "", err
		}
		if key == "model" {
			value, err := decoder.Token()
			model, ok := value.(string)
			if err != nil || !ok {
				return "", errors.New("the model is not a string")
			}
			return model, nil
		}
		if err := skipValue(decoder); err != nil {
			return "", err
		}
	}
	return "", errors.New("the body names no model")
}

func skipValue(decoder *json.Decoder) error {
	for depth := 0; ; {
		token, err := decoder.Token()
		if err != nil {
			return err
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}
