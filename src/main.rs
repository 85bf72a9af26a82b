use kube::CustomResourceExt;
fn main() { let _ = microapp::app::MicroserviceApp::crd(); println!("{}", serde_saphyr::to_string(&microapp::app::crd::definition().unwrap_or_else(|e| { eprintln!("{e}"); std::process::exit(1) })).unwrap_or_default()); }
