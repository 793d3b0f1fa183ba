#![deny(warnings)]
use std::future::Future;
use std::ops::AddAssign;

use ergometer::track_energy;

trait Train {
    type Loss: PartialEq;

    fn loss(&self) -> Self::Loss;

    #[track_energy]
    fn halved(&self) -> f64 {
        0.5
    }

    fn evaluate(&self) -> impl Future<Output = f64> + Send;

    fn serve(&self) -> impl Future<Output = f64> + Send;
}

struct Model(f64);

impl Train for Model {
    type Loss = f64;

    #[track_energy]
    fn loss(&self) -> Self::Loss {
        self.0
    }

    #[track_energy(phase = "evaluate")]
    async fn evaluate(&self) -> f64 {
        #[track_energy(phase = "read")]
        let loss = self.serve().await;
        loss
    }

    #[track_energy]
    fn serve(&self) -> impl Future<Output = f64> + Send {
        let loss = self.0;
        async move { loss }
    }
}

impl AddAssign<f64> for Model {
    #[track_energy]
    fn add_assign(&mut self, by: f64) {
        self.0 += by;
    }
}

fn send<T: Send>(value: T) -> T {
    value
}

fn main() {
    let mut model = Model(1.0);
    model += 1.0;
    assert!(model.loss() > model.halved());
    drop(send(model.evaluate()));
}
