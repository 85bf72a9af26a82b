package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
)

// refName is the annotation by which an OCI layout says the name of an image.
const refName = "org.opencontainers.image.ref.name"

const ociManifest = "application/vnd.oci.image.manifest.v1+json"

var digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// registry serves an OCI layout folder, read only, as every registry there is: containerd sends it the pulls for
// all of them and says by ?ns= which one it means. So images have their official names, imagePullPolicy Always
// works, and an image that is not there fails at once. The index is read again for each pull: images may be added.
type registry struct{ layout string }

func registryCommand() *cobra.Command {
	var r registry
	var listen string
	c := &cobra.Command{Use: "registry", Short: "serve an OCI layout folder as every registry", Args: cobra.NoArgs}
	c.Flags().StringVar(&r.layout, "layout", "", "the OCI layout folder")
	c.Flags().StringVar(&listen, "listen", "127.0.0.1:5000", "address to listen on")
	c.RunE = func(c *cobra.Command, _ []string) error {
		mux := http.NewServeMux()
		mux.HandleFunc("GET /v2/{path...}", r.serve)
		server := &http.Server{Addr: listen, Handler: mux}
		context.AfterFunc(c.Context(), func() { server.Close() })
		if err := server.ListenAndServe(); err != http.ErrServerClosed {
			return err
		}
		return nil
	}
	return c
}

// serve answers /v2/, /v2/NAME/manifests/TAG-OR-DIGEST and /v2/NAME/blobs/DIGEST; GET patterns serve HEAD too.
func (r registry) serve(w http.ResponseWriter, request *http.Request) {
	segments := strings.Split(request.PathValue("path"), "/")
	if len(segments) < 3 {
		fmt.Fprint(w, "{}")
		return
	}
	last := len(segments) - 1
	name, kind, reference := strings.Join(segments[:last-1], "/"), segments[last-1], segments[last]
	if !digestForm.MatchString(reference) {
		image := request.URL.Query().Get("ns") + "/" + name + ":" + reference
		digest, err := r.digest(image)
		if err != nil {
			r.refuse(w, err)
			return
		}
		reference = digest
	}
	path := filepath.Join(r.layout, "blobs", "sha256", strings.TrimPrefix(reference, "sha256:"))
	media := "application/octet-stream"
	if kind == "manifests" {
		var manifest struct{ MediaType string }
		if err := readJSON(path, &manifest); err != nil {
			r.refuse(w, err)
			return
		}
		if media = manifest.MediaType; media == "" {
			media = ociManifest
		}
	}
	w.Header().Set("Content-Type", media)
	w.Header().Set("Docker-Content-Digest", reference)
	http.ServeFile(w, request, path)
}

// digest is what the layout's index has for the image's full name.
func (r registry) digest(image string) (string, error) {
	var index struct {
		Manifests []struct {
			Digest      string
			Annotations map[string]string
		}
	}
	if err := readJSON(filepath.Join(r.layout, "index.json"), &index); err != nil {
		return "", err
	}
	for _, m := range index.Manifests {
		if m.Annotations[refName] == image {
			return m.Digest, nil
		}
	}
	return "", fmt.Errorf("%s is not among the images in %s", image, r.layout)
}

func (r registry) refuse(w http.ResponseWriter, err error) {
	log.Print(err)
	body, _ := json.Marshal(map[string]any{"errors": []map[string]string{{"code": "MANIFEST_UNKNOWN", "message": err.Error()}}})
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusNotFound)
	w.Write(body)
}

func readJSON(path string, into any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}
