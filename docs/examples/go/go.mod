module first_retransmit

go 1.19
