import Runner

Runner.main()
