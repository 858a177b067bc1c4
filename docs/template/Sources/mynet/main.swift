import Models
import Runner

Runner.main(architectures: [.myNet])
