package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	storage "k8s.io/component-helpers/storage/volume"
)

// provisionerName is what the StorageClass of storage.yaml names.
const provisionerName = "cluster.microapp.dev/volumes"

// provisioner gives every claim of our class a folder of the node, as a volume of type "local". The controller
// manager has one too, but in its folders no pod can write that does not run as root.
type provisioner struct {
	client  kubernetes.Interface
	folder  string // empty: pods are played, nobody opens the volumes
	claims  corelisters.PersistentVolumeClaimLister
	volumes corelisters.PersistentVolumeLister
}

func volumesCommand() *cobra.Command {
	p := provisioner{}
	c := &cobra.Command{Use: "volumes", Short: "make, grow and delete the volumes of claims", Args: cobra.NoArgs}
	c.Flags().StringVar(&p.folder, "folder", "", "folder that holds the volumes; none: they have no content")
	connected := connect(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		var err error
		if p.client, err = connected(); err != nil {
			return err
		}
		factory := informers.NewSharedInformerFactory(p.client, 0)
		core := factory.Core().V1()
		p.claims, p.volumes = core.PersistentVolumeClaims().Lister(), core.PersistentVolumes().Lister()
		watched := []cache.SharedIndexInformer{core.PersistentVolumeClaims().Informer(), core.PersistentVolumes().Informer()}
		return follow(c.Context(), factory, watched, p.pass)
	}
	return c
}

func (p *provisioner) pass(ctx context.Context) error {
	claims, _ := p.claims.List(labels.Everything()) // from memory: cannot fail
	volumes, _ := p.volumes.List(labels.Everything())
	var errs []error
	for _, claim := range claims {
		if claim.Annotations[storage.AnnStorageProvisioner] == provisionerName && claim.DeletionTimestamp == nil {
			errs = append(errs, p.serve(ctx, claim))
		}
	}
	for _, volume := range volumes {
		if volume.Annotations[storage.AnnDynamicallyProvisioned] == provisionerName && volume.DeletionTimestamp == nil &&
			volume.Status.Phase == corev1.VolumeReleased && volume.Spec.PersistentVolumeReclaimPolicy == corev1.PersistentVolumeReclaimDelete {
			errs = append(errs, p.remove(ctx, volume))
		}
	}
	return errors.Join(errs...)
}

// serve makes the volume of a claim that waits for one, and lets the volume of a bound one grow with it.
func (p *provisioner) serve(ctx context.Context, claim *corev1.PersistentVolumeClaim) error {
	wanted := claim.Spec.Resources.Requests[corev1.ResourceStorage]
	if claim.Spec.VolumeName == "" {
		return p.create(ctx, claim)
	}
	if claim.Status.Phase == corev1.ClaimBound && wanted.Cmp(claim.Status.Capacity[corev1.ResourceStorage]) > 0 {
		return p.grow(ctx, claim)
	}
	return nil
}

func (p *provisioner) create(ctx context.Context, claim *corev1.PersistentVolumeClaim) error {
	name := "pvc-" + string(claim.UID)
	if _, err := p.volumes.Get(name); err == nil {
		return nil // the controller manager is about to bind it
	}
	path := filepath.Join("/", p.folder, name)
	if p.folder != "" {
		if err := errors.Join(os.MkdirAll(path, 0o777), os.Chmod(path, 0o777)); err != nil { // chmod: whatever the umask
			return err
		}
	}
	linux := corev1.NodeSelectorRequirement{Key: corev1.LabelOSStable, Operator: corev1.NodeSelectorOpIn, Values: []string{"linux"}} // a local volume must name nodes
	volume := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{storage.AnnDynamicallyProvisioned: provisionerName}},
		Spec: corev1.PersistentVolumeSpec{
			Capacity: corev1.ResourceList{corev1.ResourceStorage: claim.Spec.Resources.Requests[corev1.ResourceStorage]}, AccessModes: claim.Spec.AccessModes, VolumeMode: claim.Spec.VolumeMode,
			StorageClassName: *claim.Spec.StorageClassName, PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimDelete,
			PersistentVolumeSource: corev1.PersistentVolumeSource{Local: &corev1.LocalVolumeSource{Path: path}},
			ClaimRef:               &corev1.ObjectReference{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID},
			NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{
				{MatchExpressions: []corev1.NodeSelectorRequirement{linux}}}}},
		},
	}
	if _, err := p.client.CoreV1().PersistentVolumes().Create(ctx, volume, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("volume of %s/%s: %w", claim.Namespace, claim.Name, err)
	}
	return nil
}

// grow only writes the new size: a folder has none.
func (p *provisioner) grow(ctx context.Context, claim *corev1.PersistentVolumeClaim) error {
	volume, err := p.volumes.Get(claim.Spec.VolumeName)
	if err != nil {
		return err
	}
	size := claim.Spec.Resources.Requests[corev1.ResourceStorage]
	volume, claim = volume.DeepCopy(), claim.DeepCopy()
	volume.Spec.Capacity[corev1.ResourceStorage] = size
	if _, err := p.client.CoreV1().PersistentVolumes().Update(ctx, volume, metav1.UpdateOptions{}); err != nil {
		return fmt.Errorf("size of %s: %w", volume.Name, err)
	}
	claim.Status.Capacity[corev1.ResourceStorage] = size
	if _, err = p.client.CoreV1().PersistentVolumeClaims(claim.Namespace).UpdateStatus(ctx, claim, metav1.UpdateOptions{}); err != nil {
		return fmt.Errorf("size of %s/%s: %w", claim.Namespace, claim.Name, err)
	}
	return nil
}

func (p *provisioner) remove(ctx context.Context, volume *corev1.PersistentVolume) error {
	if p.folder != "" {
		if err := os.RemoveAll(volume.Spec.Local.Path); err != nil {
			return err
		}
	}
	err := p.client.CoreV1().PersistentVolumes().Delete(ctx, volume.Name, metav1.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
