from hf_asr.cli import main

main()
