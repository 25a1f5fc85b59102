"""What stands between the network and Streamlit: refused requests, time-outs of connections, and the address that is listened on."""
